/**
 * What needs no browser: what a blocked call is and which are the same, what can be sent twice, codes as they are
 * typed, base64url, time left, languages. No DOM, no network; tested by `node --test`.
 *
 * @typedef {import("./types.js").Problem} Problem
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
 * `value` as a blocked call that proof would open; null if it is something else.
 * @param {unknown} value
 * @returns {Problem | null}
 */
export function blocked(value) {
  const found = /** @type {Problem | null} */ (typeof value === "object" ? value : null);
  return found && BLOCKED.has(found.code) && typeof found.offer === "string" ? found : null;
}

/**
 * A blocked call in what a function gave or threw: the thing itself, or where HTTP clients put the body.
 * @param {any} value
 * @returns {Problem | null}
 */
export function blockedIn(value) {
  for (const one of [value, value?.problem, value?.data, value?.body, value?.response?.data]) {
    const found = blocked(one);
    if (found) return found;
  }
  return null;
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
 * @returns {string}
 */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`)}}`;
}

/**
 * Whether `url` is of the origin `own`; where it cannot be read, it is not.
 * @param {string} url
 * @param {string} base
 */
export function sameOrigin(url, base) {
  try {
    return new URL(url, base).origin === new URL(base).origin;
  } catch {
    return false;
  }
}

/**
 * Whether a body can be sent twice. A stream cannot: it is gone after the first time.
 * @param {unknown} body
 */
export function replayable(body) {
  const stream = typeof ReadableStream === "function" && body instanceof ReadableStream;
  return !stream && !(typeof body === "object" && body !== null && Symbol.asyncIterator in body);
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
 * The best of `known` languages for the tags a page and its reader give, in their order.
 * @param {readonly (string | null | undefined)[]} wanted
 * @param {readonly string[]} known
 */
export function pickLanguage(wanted, known) {
  const bases = wanted.map((tag) => (tag ?? "").toLowerCase().split("-")[0] ?? "");
  return bases.find((base) => known.includes(base)) ?? "en";
}

/**
 * `text` with its `{names}` filled in.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Bytes from base64url.
 * @param {string} text
 */
export function fromBase64url(text) {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
}

/**
 * Bytes as base64url, without padding.
 * @param {ArrayBuffer} bytes
 */
export function toBase64url(bytes) {
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
