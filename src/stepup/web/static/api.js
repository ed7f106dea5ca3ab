/**
 * What is asked of the server, and its time; a passkey, by the browser's own JSON conversion or by ours where it has
 * none; and one request for proof as the server knows it: opened from the offer of a blocked call, answered, called off.
 * No DOM. Same origin only; a refusal is thrown as `StepUpError` with its code, an answer that never came as `offline`.
 *
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").Prompt} Prompt
 */
import { StepUpError, canonical } from "./pure.js";

/** Where the protocol is: beside this module, unless that came from elsewhere. */
const BESIDE = new URL("../", import.meta.url);
export const ROOT = BESIDE.origin === location.origin ? BESIDE : new URL("/stepup/", location.origin);
/** How often more time can be had without the call being made again. */
const MOST = 10;
/** Methods whose answer counts for the one challenge that it was prepared for. */
const TIED = new Set(["passkey", "email_code"]);

/** The server's clock minus `performance.now()`; the clock of the computer is asked only where the server never said. */
let ahead = Date.now() - performance.now();
let told = false;

/**
 * A time of the server's in milliseconds of `performance.now()`.
 * @param {string} time
 */
export const local = (time) => Date.parse(time) - ahead;

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [sent]
 * @returns {Promise<any>}
 */
export async function call(method, path, sent) {
  const body = sent && JSON.stringify(sent);
  const headers = { accept: "application/json", ...(body ? { "content-type": "application/json" } : {}) };
  // What is called off when a page is left is called off.
  const how = { method, mode: "same-origin", cache: "no-store", keepalive: method === "DELETE", headers, body };
  let response, text;
  try {
    response = await fetch(new URL(path, ROOT), /** @type {RequestInit} */ (how));
    text = await response.text();
  } catch {
    throw new StepUpError("offline");
  }
  const answer = parsed(text);
  const now = Date.parse(answer.now ?? (told ? "" : response.headers.get("date")));
  if (now) ahead = now - performance.now();
  told ||= "now" in answer;
  if (!response.ok) throw new StepUpError(typeof answer.code === "string" ? answer.code : "store_unavailable", answer);
  return answer;
}

/**
 * @param {string} text
 * @returns {any}
 */
function parsed(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/**
 * What the server says of a blocked call by now.
 * @param {Problem} problem
 * @returns {Promise<Problem>}
 */
export const preflight = ({ authorization_details }) => call("POST", "preflight", { authorization_details });

/**
 * A blocked call with an offer that is good: null if it passes by now. The server hands out an offer for a call that
 * was really blocked, so where a new one is needed the call is made `again`. What cannot be had now stays as it was.
 * @param {Problem} problem
 * @param {import("./types.js").Again} again
 * @returns {Promise<Problem | null>}
 */
export async function refresh(problem, again) {
  try {
    const found = problem.authorization_details ? await preflight(problem) : problem;
    if (found.outcome === "allowed") return null;
    return found !== problem && found.offer ? found : await again();
  } catch (error) {
    if (error instanceof StepUpError && error.code === "stale") throw error;
    return problem;
  }
}

// -- a passkey ----------------------------------------------------------------------------

/** Whether this browser has passkeys at all; one that only lacks a passkey may use another device's. */
export const available = typeof PublicKeyCredential === "function";

const own = /** @type {any} */ (available ? PublicKeyCredential : null);
/** Loaded at once where it is needed: between the click and the question to the device there is no time for it. */
const older = own && !(own.parseRequestOptionsFromJSON && own.prototype.toJSON) ? import("./older.js") : null;
older?.catch(() => {}); // whoever needs it is told

/**
 * @param {any} options
 * @param {AbortSignal} signal
 * @returns {Promise<unknown>}
 */
export async function assertion(options, signal) {
  const json = options.publicKey ?? options;
  const ours = await older;
  const publicKey = ours ? ours.parsed(json) : own.parseRequestOptionsFromJSON(json);
  const found = /** @type {any} */ (await navigator.credentials.get({ publicKey, signal }));
  return ours ? ours.written(found) : found.toJSON();
}

// -- one request for proof ----------------------------------------------------------------

export class Ceremony {
  /** @type {import("./types.js").Challenge | null} */
  challenge = null;
  /** @type {string[]} the ways that lead on, strongest first */
  methods = [];
  /** @type {string[]} the ways that count already */
  proved = [];
  /** @type {Map<string, Prompt>} what was sent, by method */
  sent = new Map();
  /** When it ends, in milliseconds of `performance.now()`. */
  deadline = 0;
  /** @type {import("./types.js").Terms} what it would open, beyond the challenge's own words */
  terms = { description: "", resourceLabel: null, items: [], uses: null, onBehalfOf: null };
  closed = false;
  /** Whether others were asked to approve it, and whether they have by now. */
  waits = false;
  approved = false;
  #times = 0;

  /**
   * @param {Problem} problem
   * @param {import("./types.js").Again} again
   */
  constructor(problem, again) {
    this.problem = problem;
    this.again = again;
  }

  /** Whether more time can be had. What others were asked ends when it ends. */
  get more() {
    return !this.waits && this.#times < MOST;
  }

  /**
   * Open it, in place of the one before; the server closes that. False if the call passes by now.
   * @returns {Promise<boolean>}
   */
  async open() {
    const opened = await this.#opened();
    if (!opened) return false;
    this.challenge = opened.challenge;
    this.methods = opened.remaining;
    this.proved = opened.proved;
    this.terms = opened;
    this.waits = Boolean(opened.approval);
    this.approved = opened.approval?.standing === "ready";
    this.deadline = local(opened.challenge.expiresAt);
    this.sent.clear();
    this.#times += 1;
    if (this.closed) this.cancel();
    return true;
  }

  /** @returns {Promise<import("./types.js").Envelope | null>} */
  async #opened() {
    const open = () => call("POST", "challenges", { offer: this.problem.offer });
    try {
      return await open();
    } catch (error) {
      // An offer lives ten minutes, and is for one session id, which every finished proof renews: ask for a new one.
      if (!(error instanceof StepUpError) || error.code !== "bad_request") throw error;
      const found = await refresh(this.problem, this.again);
      if (!found) return null;
      this.problem = found;
      return open();
    }
  }

  /**
   * Do it; once more, if the challenge is not of this session any more, on a new one for the very same. Calls that a page
   * makes at once, before it has a session, each begin one, and the last that comes back stays. If the call passes by
   * now, or an answer that is `tied` to the challenge before cannot count, that is thrown: `passes`, `moved`.
   * @param {() => Promise<any>} deed
   * @param {boolean} [tied]
   */
  async #moving(deed, tied) {
    try {
      return await deed();
    } catch (error) {
      if (!(error instanceof StepUpError) || error.code !== "challenge_not_found") throw error;
      const before = this.#shown;
      if (!(await this.open())) throw new StepUpError("passes");
      if (this.#shown !== before || this.closed) throw error;
      if (tied) throw new StepUpError("moved");
      return deed();
    }
  }

  /** What the person was shown, and who that is: an answer is for nothing else, and from nobody else. */
  get #shown() {
    const { action, actor, params } = this.challenge ?? {};
    const { description, resourceLabel, items, uses, onBehalfOf } = this.terms;
    return canonical([action, actor?.id, actor?.email, params, description, resourceLabel, items, uses, onBehalfOf]);
  }

  get #path() {
    return `challenges/${this.challenge?.id}`;
  }

  /**
   * Have a code sent, or get what the browser needs.
   * @param {string} method
   * @returns {Promise<Prompt>}
   */
  async prepare(method) {
    const { prompt } = await this.#moving(() => call("POST", `${this.#path}/methods/${method}`, {}));
    this.sent.set(method, prompt);
    if (method === "approval" && prompt.expiresAt) {
      this.waits = true;
      this.deadline = local(prompt.expiresAt);
    }
    return prompt;
  }

  /**
   * Answer. The grant with its token, or null if more is asked for.
   * @param {string} method
   * @param {unknown} response
   * @param {boolean} remember
   */
  async answer(method, response, remember) {
    const sent = { method, response, ...(remember && { rememberDevice: true }) };
    const got = await this.#moving(() => call("POST", `${this.#path}/attempts`, sent), TIED.has(method));
    if (got.status !== "verified") {
      this.methods = got.remaining;
      this.proved = [...this.proved, method];
      return null;
    }
    // Called off while the answer was on its way: what it opened is locked again.
    if (this.closed) call("DELETE", `grants/${got.grant.id}`).catch(() => {});
    return got.grant;
  }

  /**
   * The challenge as it stands, and how far others are with it.
   * @returns {Promise<import("./types.js").Envelope>}
   */
  look() {
    return call("GET", this.#path);
  }

  /** Call it off; but what others were asked to approve stays, for whoever leaves and comes back. */
  cancel() {
    this.closed = true;
    if (this.challenge && !this.waits) call("DELETE", this.#path).catch(() => {});
  }
}
