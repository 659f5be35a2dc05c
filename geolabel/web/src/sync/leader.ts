/**
 * One of the tabs of this browser does what must be done once: sends what waits, listens to the server.
 *
 * Web Locks tell which; a page that was not served over HTTPS has none and holds a lease in the local storage instead.
 * Two leaders for a moment do no harm: requests carry a token, and events are only heard twice.
 */

const LEASE_MS = 6000;
const RENEW_MS = 2000;

/**
 * Call `lead` as soon as this tab is the one; it returns what ends it.
 *
 * @returns the way to stop, also when another tab has the lead.
 */
export function leadAmongTabs(name: string, lead: () => () => void): () => void {
  const stopped = new AbortController();
  if (typeof navigator !== "undefined" && navigator.locks) {
    navigator.locks
      .request(name, { signal: stopped.signal }, async () => {
        const end = lead();
        await new Promise((resolve) => stopped.signal.addEventListener("abort", resolve, { once: true }));
        end();
      })
      .catch(() => {}); // stopped before its turn came
    return () => stopped.abort();
  }
  return leadByLease(name, lead);
}

export function leadByLease(name: string, lead: () => () => void, storage: Storage = localStorage): () => void {
  const me = String(Math.random());
  let end: (() => void) | null = null;
  const renew = () => {
    const [holder, until] = (storage.getItem(name) ?? "").split(" ");
    const mine = holder === me;
    const free = !until || Number(until) < Date.now();
    if (end && !mine && !free) {
      end(); // slept too long: another tab took over
      end = null;
    } else if (mine || free) {
      storage.setItem(name, `${me} ${Date.now() + LEASE_MS}`);
      if (mine && !end) end = lead(); // the second time: nobody else wrote in between
    }
  };
  renew();
  const timer = setInterval(renew, RENEW_MS);
  const leave = () => {
    clearInterval(timer);
    if (storage.getItem(name)?.startsWith(`${me} `)) storage.removeItem(name);
    end?.();
    end = null;
  };
  globalThis.addEventListener?.("pagehide", leave);
  return () => {
    globalThis.removeEventListener?.("pagehide", leave);
    leave();
  };
}
