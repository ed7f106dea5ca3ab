/**
 * What needs no browser: what a blocked call is and which are the same, who waits for which proof, what can be sent
 * twice, codes as they are typed, time left, the page's own texts. No DOM, no network; tested by `node --test`.
 *
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").Again} Again
 * @typedef {{again: Again | undefined, resolve: (token: string | null) => void, reject: (why: unknown) => void}} Waiter
 * @typedef {{key: string, problem: Problem, since: number, waiters: Set<Waiter>, abort: AbortController}} Group
 */

const BLOCKED = new Set(["verification_required", "grant_required", "grant_invalid", "approval_pending"]);

/** Something that stepup refuses. */
export class StepUpError extends Error {
  /**
   * @param {string} code one of the protocol's codes, `cancelled`, or `offline`
   * @param {Problem | null} [problem]
   */
  constructor(code, problem = null) {
    super(code);
    this.name = new.target.name;
    this.code = code;
    this.problem = problem;
  }
}

/** The person called it off. */
export class StepUpCancelledError extends StepUpError {
  constructor() {
    super("cancelled");
  }
}

/**
 * A module that is loaded when it is needed.
 * @template T
 * @param {Promise<T>} module
 * @returns {Promise<T>}
 */
export const loaded = (module) =>
  module.catch(() => {
    throw new StepUpError("offline");
  });

/** @type {Record<string, Record<string, string>>} texts of the page's own, by language */
export const changed = {};

/**
 * Replace texts of the dialog, in one language or in all.
 * @param {Record<string, string>} texts
 * @param {string} [lang]
 */
export function setTexts(texts, lang = "") {
  changed[lang] = { ...changed[lang], ...texts };
}

/**
 * `value` as a blocked call that proof would open; null if it is something else.
 * @param {unknown} value
 * @returns {Problem | null}
 */
export function blocked(value) {
  const found = /** @type {Problem} */ (Object(value));
  return BLOCKED.has(found.code) && typeof found.offer === "string" ? found : null;
}

/**
 * A blocked call in what a function gave or threw: the thing itself, or where HTTP clients put the body.
 * @param {any} value
 * @returns {Problem | null}
 */
export function blockedIn(value) {
  const places = [value, value?.problem, value?.data, value?.body, value?.response?.data];
  return places.map(blocked).find(Boolean) ?? null;
}

/**
 * What a proof for this call is bound to, as far as the page knows: calls with the same key share one dialog.
 * @param {Problem} problem
 */
export function bindingKey(problem) {
  return canonical([problem.action ?? "", problem.authorization_details ?? problem.offer ?? ""]);
}

/**
 * JSON with sorted members, so that the same call is the same text.
 * @param {unknown} value
 */
export function canonical(value) {
  return JSON.stringify(value, (_, one) =>
    Object.prototype.toString.call(one) === "[object Object]"
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

/**
 * Whether `url`, as a page whose links begin at `base` means it, is of the origin of `own`; unreadable, it is not.
 * @param {string} url
 * @param {string} base
 * @param {string} [own]
 */
export function sameOrigin(url, base, own = base) {
  try {
    return new URL(url, base).origin === new URL(own).origin;
  } catch {
    return false;
  }
}

/**
 * Whether a body can be sent twice. A stream cannot: it is gone after the first time.
 * @param {unknown} body
 */
export function replayable(body) {
  return !(body instanceof ReadableStream || (typeof body === "object" && body && Symbol.asyncIterator in body));
}

/**
 * A code as it is meant: white space and dashes of any kind left out, wide digits as plain ones.
 * @param {string} typed
 */
export function cleanCode(typed) {
  return typed.normalize("NFKC").replace(/[\s\u00ad\u200b-\u200f\u2060\p{Pd}\u2212]/gu, "");
}

/**
 * What is plainly wrong with a code of digits; empty if the server should look. Codes have six to eight digits.
 * @param {string} code
 * @returns {"" | "empty" | "letters" | "few" | "many"}
 */
export function codeTrouble(code) {
  if (!code) return "empty";
  if (!/^\p{Nd}+$/u.test(code)) return "letters";
  if (code.length < 6) return "few";
  return code.length > 8 ? "many" : "";
}

/**
 * Whole seconds until `deadline`, both in milliseconds of the same clock; never less than none.
 * @param {number} deadline
 * @param {number} now
 */
export function secondsLeft(deadline, now) {
  return Math.max(0, Math.ceil((deadline - now) / 1000));
}

/**
 * The moment that is worth saying aloud between two readings of the time left: a minute, or twenty seconds.
 * @param {number} before
 * @param {number} left
 * @returns {number | undefined}
 */
export function worthSaying(before, left) {
  return [20, 60].find((mark) => before > mark && left <= mark && left > 0);
}

/**
 * `seconds` as minutes and seconds.
 * @param {number} seconds
 */
export function clock(seconds) {
  const [minutes, two] = [Math.floor(seconds / 60), (/** @type {number} */ n) => String(n).padStart(2, "0")];
  const front = minutes < 120 ? `${minutes}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}`;
  return `${front}:${two(seconds % 60)}`;
}

/**
 * @param {string} key
 * @param {Problem} problem
 * @param {number} since how many had been served when it came
 * @param {Iterable<Waiter>} [waiters]
 * @returns {Group}
 */
const groupOf = (key, problem, since, waiters) => {
  return { key, problem, since, waiters: new Set(waiters), abort: new AbortController() };
};

/**
 * Who waits for which proof. Blocked calls with the same binding wait together for one dialog; others stand in line.
 *
 * A grant that can be used n times serves the first n who wait for it; the rest are looked at again and asked again,
 * in turn. Whoever has waited behind another dialog is looked at again too: a proof gives the session a new id, under
 * which an older offer is nobody's, and what was proved may have opened this call as well. A caller says how its call
 * is made `again`; of those who cannot, with nobody beside them who can, the call is `stale`, and theirs to repeat.
 */
export class Queue {
  /** @type {Group[]} */
  #line = [];
  #served = 0;
  #busy = false;
  #how;

  /** @param {import("./types.js").Asking} how */
  constructor(how) {
    this.#how = how;
  }

  /**
   * The token that opens a blocked call; null where it passes without one.
   * @param {Problem} problem
   * @param {AbortSignal | null} [signal]
   * @param {Again} [again]
   * @returns {Promise<string | null>}
   */
  prove(problem, signal, again) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const key = bindingKey(problem);
      let group = this.#line.find((one) => one.key === key && !one.abort.signal.aborted);
      if (!group) this.#line.push((group = groupOf(key, problem, this.#served)));
      const waiter = { again, resolve, reject };
      group.waiters.add(waiter);
      signal?.addEventListener("abort", () => {
        if (this.#leave(waiter)) reject(signal.reason);
      });
      void this.#run();
    });
  }

  /**
   * A new offer, by making the call of one who waits once more; whose call goes through that way is served.
   * @param {Set<Waiter>} waiters
   */
  async #again(waiters) {
    const able = [...waiters].filter((one) => one.again);
    if (waiters.size && !able.length) throw new StepUpError("stale");
    for (const one of able) {
      const found = await one.again?.();
      if (found) return found;
      if (waiters.delete(one)) one.resolve(null);
    }
    return null;
  }

  /** @param {Waiter} waiter */
  #leave(waiter) {
    const group = this.#line.find((one) => one.waiters.delete(waiter));
    if (group && !group.waiters.size) group.abort.abort();
    return group !== undefined;
  }

  async #run() {
    if (this.#busy) return;
    this.#busy = true;
    for (let group; (group = this.#line[0]); ) await this.#serve(group);
    this.#busy = false;
  }

  /**
   * Serve a group. It is out of the line before anybody is answered, since an answer may lead to the next call at once.
   * @param {Group} group
   */
  async #serve(group) {
    const { key, problem, waiters, abort } = group;
    /** @type {(one: Waiter) => void} */
    let answer;
    let uses = null;
    try {
      const waited = group.since !== this.#served && !abort.signal.aborted;
      const again = () => this.#again(waiters);
      const found = waited ? await this.#how.refresh(problem, again) : problem;
      abort.signal.throwIfAborted();
      const proved = found ? await this.#how.ask(found, key, abort.signal, again) : { token: null, uses };
      answer = (one) => one.resolve(proved.token);
      uses = proved.uses;
    } catch (why) {
      answer = (one) => one.reject(why);
    }
    const rest = [...waiters];
    const served = rest.splice(0, uses ?? rest.length);
    this.#served += 1;
    this.#line.splice(0, 1, ...(rest.length ? [groupOf(key, problem, -1, rest)] : []));
    served.forEach(answer);
  }
}
