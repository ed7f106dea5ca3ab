/**
 * One request for proof as the server knows it: opened from the offer of a blocked call, answered, called off. No DOM.
 *
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").Prompt} Prompt
 */
import { call, description, local, refresh } from "./api.js";
import { StepUpError } from "./pure.js";

/** How often more time can be had without the call being made again. */
const MOST = 10;

export class Ceremony {
  /** @type {import("./types.js").Challenge | null} */
  challenge = null;
  /** @type {string[]} the ways that lead on, strongest first */
  methods = [];
  /** @type {Map<string, Prompt>} what was sent, by method */
  sent = new Map();
  /** When it ends, in milliseconds of `performance.now()`. */
  deadline = 0;
  about = "";
  /** @type {import("./types.js").Terms} what it would open, beyond the challenge's own words */
  terms = { items: [], uses: null, onBehalfOf: null };
  closed = false;
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
    const [opened, about] = await Promise.all([this.#opened(), description(this.problem.action ?? "")]);
    if (!opened) return false;
    this.challenge = opened.challenge;
    this.methods = opened.remaining;
    this.terms = opened;
    this.deadline = local(opened.challenge.expiresAt);
    this.about = about;
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

  get #path() {
    return `challenges/${this.challenge?.id}`;
  }

  /**
   * Have a code sent, or get what the browser needs.
   * @param {string} method
   * @returns {Promise<Prompt>}
   */
  async prepare(method) {
    const { prompt } = await call("POST", `${this.#path}/methods/${method}`, {});
    this.sent.set(method, prompt);
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
    const got = await call("POST", `${this.#path}/attempts`, sent);
    if (got.status !== "verified") {
      this.methods = got.remaining;
      return null;
    }
    // Called off while the answer was on its way: what it opened is locked again.
    if (this.closed) call("DELETE", `grants/${got.grant.id}`).catch(() => {});
    return got.grant;
  }

  /** The challenge as it stands. */
  async look() {
    const { challenge } = await call("GET", this.#path);
    return challenge.status;
  }

  /** Call it off. */
  cancel() {
    this.closed = true;
    if (this.challenge) call("DELETE", this.#path).catch(() => {});
  }
}
