/**
 * What `<stepup-events>`, `<stepup-factors>` and `<stepup-devices>` have in common: rows, and the states of loading,
 * empty, failed and not available. `account-part.js` has how they speak, `account-rows.js` the rows.
 *
 * A subclass says what is loaded (`load`) and drawn (`draw`). `refresh` does both; it runs once at a time, and once more
 * where it was asked for meanwhile. `change` is around everything that a person does.
 */
import { listen, read, request } from "./account-api.js";
import { AccountPart } from "./account-part.js";
import { Rows } from "./account-rows.js";
import { h } from "./dom.js";
import { StepUpCancelledError, StepUpError, blocked } from "./pure.js";

const MINUTE = 60_000;

export class AccountElement extends AccountPart {
  static observedAttributes = ["heading-level", "lang"];

  loaded = false;
  busy = false;
  /** @type {AbortController | null} */
  #here = null;
  /** @type {Promise<void> | null} */
  #running = null;
  #again = false;
  /** Whether what is said to be wrong is that it could not be read. */
  #unread = false;

  constructor() {
    super();
    this.rows = new Rows(this);
    this.foot.before(this.rows.list);
    this.retry.addEventListener("click", () => this.#tryAgain());
    this.unlock.addEventListener("click", () => this.#unlock());
  }

  connectedCallback() {
    this.#here = new AbortController();
    const { signal } = this.#here;
    listen(() => void this.refresh(), signal);
    const timer = setInterval(() => this.retell(), MINUTE / 2);
    signal.addEventListener("abort", () => clearInterval(timer));
    // Back from memory: who is signed in may be another, or nobody.
    addEventListener("pageshow", ({ persisted }) => persisted && void this.refresh(), { signal });
    void this.refresh();
  }

  disconnectedCallback() {
    this.#here?.abort();
    this.left();
  }

  attributeChangedCallback() {
    this.head();
    if (this.#here && this.isConnected) void this.refresh();
  }

  /** It was taken off the page, or is not theirs who look: leave nothing that is secret. */
  left() {}

  /**
   * Ask the server for what there is.
   * @param {(path: string) => Promise<any>} read
   */
  async load(read) {
    await read("");
  }

  /** Show what was loaded. */
  draw() {}

  /** What is said where there is nothing: the name of a text, or nothing where there is something. */
  get empty() {
    return "";
  }

  // -- reading and showing ---------------------------------------------------------------------

  /** Read it again, and show it. @returns {Promise<void>} */
  refresh() {
    this.#again = this.#running !== null;
    this.#running ??= this.#refreshed().finally(() => (this.#running = null));
    return this.#running;
  }

  async #refreshed() {
    do {
      this.#again = false;
      await this.#read();
    } while (this.#again && this.isConnected);
  }

  async #read() {
    await this.speak();
    this.wait.hidden = this.loaded;
    this.section.setAttribute("aria-busy", "true");
    try {
      await this.#loaded(read);
    } catch (error) {
      this.#failed(error);
    }
    this.wait.hidden = true;
    this.section.removeAttribute("aria-busy");
  }

  /** @param {(path: string) => Promise<any>} how */
  async #loaded(how) {
    await this.load(how);
    this.loaded = true;
    this.#failed(null);
    this.drawn();
  }

  /** Draw it, and keep the focus. */
  drawn() {
    this.rows.keeping(() => this.draw());
    this.none.hidden = !this.empty;
    this.none.textContent = this.empty && this.text(this.empty);
  }

  // -- what goes wrong ---------------------------------------------------------------------------

  /** @param {unknown} error why it could not be read; null if it could */
  #failed(error) {
    const found = error instanceof StepUpError ? error : error ? new StepUpError("store_unavailable") : null;
    const locked = blocked(found?.problem) !== null;
    const instead = locked ? "account.locked" : found?.code === "not_found" ? "account.unavailable" : "";
    const out = found?.code === "login_required";
    const link = (out && found?.problem?.loginUrl) || "";
    if (found || this.#unread) this.error.textContent = found && !instead ? this.trouble(found) : "";
    this.#unread = found !== null;
    this.retry.hidden = !found || instead !== "" || out;
    this.unlock.hidden = !locked;
    this.link.hidden = !link;
    this.link.href = link;
    this.link.textContent = link && this.text("to.login_required");
    if (instead || out) this.#instead(instead && this.text(instead));
  }

  /** Show a text and nothing else: what was shown before is not for those who may not see it. @param {string} text */
  #instead(text) {
    const inside = this.foot.contains(this.shadowRoot?.activeElement ?? null);
    this.left();
    this.loaded = false;
    this.rows.draw([], () => h("li"));
    this.foot.replaceChildren();
    this.none.hidden = !text;
    this.none.textContent = text;
    if (inside) this.heading.focus();
  }

  /** Read it with the proof that it needs. */
  async #unlock() {
    const done = await this.change(this.unlock, () => this.#loaded((path) => request("GET", path)));
    if (done) this.heading.focus();
  }

  async #tryAgain() {
    this.retry.setAttribute("aria-disabled", "true");
    await this.refresh();
    this.retry.removeAttribute("aria-disabled");
    if (this.retry.hidden) this.heading.focus();
  }

  /**
   * Change something: one thing at a time, the button says that it is busy, and what goes wrong is said.
   * @param {HTMLElement} button
   * @param {() => Promise<unknown>} deed
   * @param {(text: string, error: unknown) => void} [wrong] who says it; the element itself where nobody else does
   * @returns {Promise<boolean>} whether it was done
   */
  async change(button, deed, wrong = (text) => (this.error.textContent = text)) {
    if (this.busy) return false;
    this.busy = true;
    this.say("");
    button.setAttribute("aria-disabled", "true");
    try {
      await deed();
      return true;
    } catch (error) {
      if (error instanceof StepUpCancelledError) this.say(this.text("account.unchanged"));
      else wrong(this.trouble(error), error);
      return false;
    } finally {
      this.busy = false;
      button.removeAttribute("aria-disabled");
    }
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  request(method, path, body) {
    return request(method, path, body);
  }
}
