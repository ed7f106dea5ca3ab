/**
 * Who waits for which proof. Blocked calls with the same binding wait together for one dialog; others stand in line.
 *
 * A grant that can be used n times serves the first n who wait for it; the rest are looked at again and asked again,
 * in turn. Whoever has waited behind another dialog is looked at again too: a proof gives the session a new id, under
 * which an older offer is nobody's, and what was proved may have opened this call as well. A caller says how its call
 * is made `again`; of those who cannot, with nobody beside them who can, the call is `stale`, and theirs to repeat.
 *
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").Again} Again
 * @typedef {{again: Again | undefined, resolve: (token: string | null) => void, reject: (why: unknown) => void}} Waiter
 * @typedef {{key: string, problem: Problem, since: number, waiters: Set<Waiter>, abort: AbortController}} Group
 */
import { StepUpError, bindingKey } from "./pure.js";

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
      if (signal?.aborted) return reject(signal.reason);
      const key = bindingKey(problem);
      let group = this.#line.find((one) => one.key === key && !one.abort.signal.aborted);
      if (!group) this.#line.push((group = this.#group(key, problem, this.#served)));
      const { waiters } = group;
      const waiter = { again, resolve, reject };
      waiters.add(waiter);
      signal?.addEventListener("abort", () => {
        if (this.#leave(waiter)) reject(signal.reason);
      });
      void this.#run();
    });
  }

  /**
   * @param {string} key
   * @param {Problem} problem
   * @param {number} since
   * @param {Iterable<Waiter>} [waiters]
   * @returns {Group}
   */
  #group(key, problem, since, waiters = []) {
    return { key, problem, since, waiters: new Set(waiters), abort: new AbortController() };
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
    this.#line.splice(0, 1, ...(rest.length ? [this.#group(key, problem, -1, rest)] : []));
    served.forEach(answer);
  }
}
