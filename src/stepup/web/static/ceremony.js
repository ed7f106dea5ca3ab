/**
 * One request for proof as the server knows it: opened from the offer of a blocked call, answered, called off. No DOM.
 *
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").Prompt} Prompt
 */
import { call, local, refresh } from "./api.js";
import { StepUpError, canonical } from "./pure.js";

/** How often more time can be had without the call being made again. */
const MOST = 10;
/** Methods whose answer counts for the one challenge that it was prepared for. */
const TIED = new Set(["passkey", "email_code"]);

export class Ceremony {
  /** @type {import("./types.js").Challenge | null} */
  challenge = null;
  /** @type {string[]} the ways that lead on, strongest first */
  methods = [];
  /** @type {Map<string, Prompt>} what was sent, by method */
  sent = new Map();
  /** When it ends, in milliseconds of `performance.now()`. */
  deadline = 0;
  /** What the action does, in a sentence. */
  about = "";
  /** @type {import("./types.js").Terms} what it would open, beyond the challenge's own words */
  terms = { items: [], uses: null, onBehalfOf: null };
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

  /** Whether more time can be had. */
  get more() {
    return this.#times < MOST;
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
    this.terms = opened;
    this.waits = Boolean(opened.approval);
    this.approved = opened.approval?.standing === "ready";
    this.deadline = local(opened.challenge.expiresAt);
    this.about = opened.description;
    this.sent.clear();
    this.#times += 1;
    if (this.closed) this.cancel();
    return true;
  }

  /** @returns {Promise<import("./types.js").Envelope | null>} */
  async #opened() {
    try {
      return await call("POST", "challenges", { offer: this.problem.offer });
    } catch (error) {
      // An offer lives ten minutes, and is for one session id, which every finished proof renews: ask for a new one.
      if (!(error instanceof StepUpError) || error.code !== "bad_request") throw error;
      const found = await refresh(this.problem, this.again);
      if (!found) return null;
      this.problem = found;
      return await call("POST", "challenges", { offer: found.offer });
    }
  }

  /**
   * Do it; once more, if the challenge is not of this session any more, on a new one for the very same. Calls that a page
   * makes at once, before it has a session, each begin one, and the last that comes back stays. If the call passes by
   * now, or an answer that is `tied` to the challenge before cannot count, that is thrown: `passes`, `moved`.
   * @param {() => Promise<any>} deed
   * @param {boolean} [tied]
   */
  async #moving(deed, tied = false) {
    try {
      return await deed();
    } catch (error) {
      if (!(error instanceof StepUpError) || error.code !== "challenge_not_found") throw error;
      const before = this.#shown;
      if (!(await this.open())) throw new StepUpError("passes");
      if (this.#shown !== before || this.closed) throw error;
      if (tied) throw new StepUpError("moved");
      return await deed();
    }
  }

  /** What the person was shown, and who that is: an answer is for nothing else, and from nobody else. */
  get #shown() {
    const { action, actor, params } = this.challenge ?? {};
    const { items, uses, onBehalfOf } = this.terms;
    return canonical([action, actor?.id, actor?.email, params, this.about, items, uses, onBehalfOf]);
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
    const sent = { method, response, ...(remember ? { rememberDevice: true } : {}) };
    const got = await this.#moving(() => call("POST", `${this.#path}/attempts`, sent), TIED.has(method));
    if (got.status !== "verified") {
      this.methods = got.remaining;
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
