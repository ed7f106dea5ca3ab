/**
 * What `<stepup-events>`, `<stepup-factors>` and `<stepup-devices>` have in common: a heading, what is said, rows, and
 * the states of loading, empty, failed and not available.
 *
 * A subclass says what is loaded (`load`) and drawn (`draw`). `refresh` does both; it runs once at a time, and once more
 * where it was asked for meanwhile. `change` is around everything that a person does; `account-rows.js` has the rows.
 * Two regions, `status` and `error`, stand there from the beginning, so that what is put there is read out.
 */
import { retell, time } from "./account-dom.js";
import { listen, now, read, request } from "./account-api.js";
import { headingLevel, regional } from "./account-pure.js";
import { Rows } from "./account-rows.js";
import { sheet as accountSheet } from "./account-style.js";
import { AccountWords, accountWords } from "./account-texts.js";
import { local } from "./api.js";
import { h } from "./dom.js";
import { StepUpCancelledError, StepUpError, blocked } from "./pure.js";
import { sheet } from "./style.js";

const MINUTE = 60_000;

export class AccountElement extends HTMLElement {
  static observedAttributes = ["heading-level", "lang"];
  /** What its texts begin with. */
  static what = "";

  words = new AccountWords();
  loaded = false;
  level = 2;
  busy = false;
  /** @type {AbortController | null} */
  #here = null;
  /** @type {Promise<void> | null} */
  #running = null;
  #again = false;
  #tag = "en";
  /** Whether what is said to be wrong is that it could not be read. */
  #unread = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet, accountSheet];
    this.heading = h("h2", {});
    this.lead = h("p", { class: "soft", part: "lead" });
    this.error = h("div", { part: "error", role: "alert" });
    this.status = h("div", { part: "status", role: "status" });
    this.wait = h("p", { class: "soft", part: "loading", hidden: true });
    this.none = h("p", { class: "empty", part: "empty", hidden: true });
    this.link = h("a", { hidden: true });
    this.retry = h("button", { type: "button", part: "button retry", hidden: true, click: () => this.#tryAgain() });
    this.unlock = h("button", { type: "button", part: "button unlock", hidden: true, click: () => this.#unlock() });
    this.rows = new Rows(this);
    this.foot = h("div", { class: "foot" });
    this.section = h(
      "section", { part: "section", "aria-labelledby": "title" },
      this.heading, this.lead, this.error, this.link, this.retry, this.status, this.wait, this.none, this.unlock, this.rows.list, this.foot,
    ); // prettier-ignore
    root.append(this.section);
    this.#head();
  }

  connectedCallback() {
    this.#here = new AbortController();
    const { signal } = this.#here;
    listen(() => void this.refresh(), signal);
    const timer = setInterval(() => this.retell(), MINUTE / 2);
    signal.addEventListener("abort", () => clearInterval(timer));
    void this.refresh();
  }

  disconnectedCallback() {
    this.#here?.abort();
    this.left();
  }

  attributeChangedCallback() {
    this.#head();
    if (this.#here && this.isConnected) void this.refresh();
  }

  /** It was taken off the page: leave nothing that is secret. */
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
    const own = this.closest("[lang]")?.getAttribute("lang");
    this.words = await accountWords([own, navigator.language]);
    this.#tag = regional(this.words.lang, [own, ...navigator.languages]);
    this.#told();
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

  /** The heading, of the level that the page wants. */
  #head() {
    const level = headingLevel(this.getAttribute("heading-level"));
    const title = h(/** @type {"h2"} */ (`h${level}`), { id: "title", class: "title", part: "title", tabindex: -1 });
    title.textContent = this.heading.textContent;
    this.heading.replaceWith(title);
    this.heading = title;
    this.level = level;
  }

  /** A heading below the element's own. @param {string} text @param {Record<string, string | number>} [props] */
  subheading(text, props = {}) {
    return h(/** @type {"h3"} */ (`h${this.level + 1}`), { part: "heading", ...props }, text);
  }

  #told() {
    const { what } = /** @type {typeof AccountElement} */ (this.constructor);
    Object.assign(this.section, { lang: this.words.lang, dir: this.words.dir });
    this.heading.textContent = this.text(`${what}.title`);
    this.lead.textContent = this.text(`${what}.lead`);
    this.wait.textContent = this.text("loading");
    this.retry.textContent = this.text("account.retry");
    this.unlock.textContent = this.text("account.unlock");
  }

  /** @param {string} name @param {Record<string, string | number>} [values] */
  text(name, values) {
    return this.words.say(name, values);
  }

  /** What is done was done. @param {string} text */
  say(text) {
    this.error.replaceChildren();
    this.status.textContent = text;
  }

  /** The language's tag, with the region by whose habits times are written. */
  get tag() {
    return this.#tag;
  }

  /** A time, as it is said in this element. @param {string} at */
  time(at) {
    return time(at, now(), this.#tag);
  }

  /**
   * A text that tells of a time, with the time in it as one.
   * @param {string} name
   * @param {string} at
   */
  when(name, at) {
    const [before = "", after = ""] = this.text(name).split("{when}");
    return h("span", {}, before, this.time(at), after);
  }

  /** Say the times in `where` as they are by now. @param {Element} [where] */
  retell(where = this.section) {
    for (const one of where.querySelectorAll("time")) retell(one, now(), this.#tag);
  }

  // -- what goes wrong ---------------------------------------------------------------------------

  /** @param {unknown} error why it could not be read; null if it could */
  #failed(error) {
    const found = error instanceof StepUpError ? error : error ? new StepUpError("store_unavailable") : null;
    const locked = blocked(found?.problem) !== null;
    const instead = locked ? "account.locked" : found?.code === "not_found" ? "account.unavailable" : "";
    const link = (found?.code === "login_required" && found.problem?.loginUrl) || "";
    if (found || this.#unread) this.error.textContent = found && !instead ? this.trouble(found) : "";
    this.#unread = found !== null;
    this.retry.hidden = !found || instead !== "" || found.code === "login_required";
    this.unlock.hidden = !locked;
    this.link.hidden = !link;
    this.link.href = link;
    this.link.textContent = link && this.text("to.login_required");
    if (instead) this.#instead(this.text(instead));
  }

  /** Show a text and nothing else: what was shown before is not for those who may not see it. @param {string} text */
  #instead(text) {
    this.rows.draw([], () => h("li"));
    this.foot.replaceChildren();
    this.none.hidden = false;
    this.none.textContent = text;
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

  /** What an error is in words. @param {unknown} error */
  trouble(error) {
    const { code, problem } = error instanceof StepUpError ? error : new StepUpError("store_unavailable");
    // By the clock of the computer, which is the one that the person looks at, however wrong it is.
    const when = problem?.retryAt && Date.now() + local(problem.retryAt) - performance.now();
    const at = when ? new Date(when).toLocaleTimeString(this.#tag) : "…";
    const said = this.text(`account.is.${code}`) || this.text(`is.${code}`, { at });
    return said || this.text("is.store_unavailable");
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
