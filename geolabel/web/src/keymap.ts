/** Which key is which command: the table's keys, and what a person changed of them. */
import { type Command, SCOPES, type Scope, SHORTCUTS, type Shortcut } from "./keys";

/** Keys by command, where they are not the table's; an empty text for no key. */
export type Changes = Readonly<Partial<Record<Command, string>>>;

/** Keys that cannot be given away: digits pick classes, Tab moves the focus, the others do what they always do. */
const OWN = new Set(["Tab", "Shift+Tab", " ", "Shift", "Control", "Alt", "Meta", "Dead", "Unidentified", "Process"]);
const FIXED: ReadonlySet<Command> = new Set(["escape", "finish", "focus"]);
const VALID =
  /^(Ctrl\+)?(Alt\+)?(Shift\+)?([^\s\p{C}]|F\d{1,2}|Arrow\w{2,5}|Insert|Delete|Backspace|Home|End|PageUp|PageDown|Enter|Escape)$/u;

export const changeable = ({ command }: Shortcut): boolean => !FIXED.has(command);

export const keysOf = (shortcut: Shortcut, changes: Changes): readonly string[] => {
  const changed = changes[shortcut.command];
  return changed === undefined ? shortcut.keys : changed === "" ? [] : [changed];
};

const scopesOf = (shortcut: Shortcut): readonly Scope[] => shortcut.in ?? SCOPES;

/** The commands that have a key of another one, where both work. */
export function clashes(changes: Changes = {}): { key: string; commands: [Command, Command] }[] {
  const found: { key: string; commands: [Command, Command] }[] = [];
  SHORTCUTS.forEach((one, i) => {
    for (const other of SHORTCUTS.slice(i + 1)) {
      const both = scopesOf(one).some((scope) => scopesOf(other).includes(scope));
      const key = both && keysOf(one, changes).find((k) => keysOf(other, changes).includes(k));
      if (key) found.push({ key, commands: [one.command, other.command] });
    }
  });
  return found;
}

/** Why a key cannot be given to a command: a sentence; the other command when it is that one's. */
export function objection(command: Command, key: string, changes: Changes): { says: string; taken?: Shortcut } | null {
  if (OWN.has(key) || !VALID.test(key)) return { says: "This key has a meaning of its own. Press another one." };
  if (/^\d$/.test(key)) return { says: "Digits pick the classes. Press another key." };
  const clash = clashes({ ...changes, [command]: key }).find(({ commands }) => commands.includes(command));
  const other = clash?.commands.find((c) => c !== command);
  const taken = SHORTCUTS.find((s) => s.command === other);
  if (!taken) return null;
  if (!changeable(taken)) return { says: `This key is for “${taken.does}”, and stays so. Press another one.` };
  return { says: `This key is for “${taken.does}”.`, taken };
}

/** What a browser kept, as far as it can be used: a command and a key that exist, and no clashes. */
export function readChanges(kept: unknown): Changes {
  if (typeof kept !== "object" || kept === null || Array.isArray(kept)) return {};
  let changes: Changes = {};
  for (const shortcut of SHORTCUTS) {
    const key: unknown = (kept as Record<string, unknown>)[shortcut.command];
    if (typeof key !== "string" || !changeable(shortcut)) continue;
    changes = { ...changes, [shortcut.command]: key };
  }
  const usable = (command: string, key: string) =>
    key === "" || (VALID.test(key) && !OWN.has(key) && !/^\d$/.test(key) && !clashing(changes).has(command));
  return Object.fromEntries(Object.entries(changes).filter(([command, key]) => usable(command, key)));
}

const clashing = (changes: Changes): Set<string> => new Set(clashes(changes).flatMap(({ commands }) => commands));

/** The command of a key, if it has one where the keyboard works now. */
export function commandFor(key: string, scope: Scope, changes: Changes): Command | undefined {
  const find = (k: string) =>
    SHORTCUTS.find((shortcut) => scopesOf(shortcut).includes(scope) && keysOf(shortcut, changes).includes(k))?.command;
  // A capital without a command of its own is its letter: Caps Lock may be on.
  return find(key) ?? (/^Shift\+\p{L}$/u.test(key) ? find(key.slice(6)) : undefined);
}
