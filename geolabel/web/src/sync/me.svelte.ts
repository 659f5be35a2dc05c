/** Who works in this browser: asked once, until there are accounts. */

const NAME = "geolabel:me";

interface Kept {
  id: string;
  name: string;
}

function read(): Kept {
  const id = [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, "0")).join("");
  let kept: Kept = { id, name: "" };
  try {
    kept = { ...kept, ...JSON.parse(localStorage.getItem(NAME) ?? "{}") };
    localStorage.setItem(NAME, JSON.stringify(kept));
  } catch {
    // the browser keeps nothing for us: somebody new with each page
  }
  return kept;
}

class Me {
  #kept = $state.raw(read());

  get id(): string {
    return this.#kept.id;
  }

  get name(): string {
    return this.#kept.name;
  }

  set name(name: string) {
    this.#kept = { ...this.#kept, name: name.trim().slice(0, 100) };
    try {
      localStorage.setItem(NAME, JSON.stringify(this.#kept));
    } catch {
      // it holds until the page is closed
    }
  }
}

export const me = new Me();
