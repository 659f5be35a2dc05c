/** Which classes are hatched: there are twelve colours that everybody can tell apart, and past them they repeat. */
interface Colored<Name> {
  name: Name;
  color: string;
}

/** The names of the classes whose colour a class above them has already. */
export function hatchedOf<Name>(classes: readonly Colored<Name>[]): ReadonlySet<Name> {
  const taken = new Set<string>();
  const hatched = new Set<Name>();
  for (const { name, color } of classes) {
    const same = color.toLowerCase();
    if (taken.has(same)) hatched.add(name);
    taken.add(same);
  }
  return hatched;
}
