/**
 * How the account's elements speak: a heading, what is said in words, times and errors, and the places for all of it.
 *
 * Two regions, `status` and `error`, stand there from the beginning, so that what is put there is read out.
 * `account-element.js` has what the elements do.
 */
import { retell, time } from "./account-dom.js";
import { now } from "./account-api.js";
import { headingLevel, regional } from "./account-pure.js";
import { sheet as accountSheet } from "./account-style.js";
import { AccountWords, accountWords } from "./account-texts.js";
import { local } from "./api.js";
import { h } from "./dom.js";
import { StepUpError } from "./pure.js";
import { sheet } from "./style.js";

export class AccountPart extends HTMLElement {
  /** What its texts begin with. */
  static what = "";

  words = new AccountWords();
  level = 2;
  #tag = "en";

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
    this.retry = h("button", { type: "button", part: "button retry", hidden: true });
    this.unlock = h("button", { type: "button", part: "button unlock", hidden: true });
    this.foot = h("div", { class: "foot" });
    this.section = h(
      "section", { part: "section", "aria-labelledby": "title" },
      this.heading, this.lead, this.error, this.link, this.retry, this.status, this.wait, this.none, this.unlock, this.foot,
    ); // prettier-ignore
    root.append(this.section);
    this.head();
  }

  /** The heading, of the level that the page wants. */
  head() {
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

  /** Learn the words, and say those that stand there always. */
  async speak() {
    const own = this.closest("[lang]")?.getAttribute("lang");
    this.words = await accountWords([own, navigator.language]);
    this.#tag = regional(this.words.lang, [own, ...navigator.languages]);
    const { what } = /** @type {typeof AccountPart} */ (this.constructor);
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

  /** What an error is in words. @param {unknown} error */
  trouble(error) {
    const { code, problem } = error instanceof StepUpError ? error : new StepUpError("store_unavailable");
    // By the clock of the computer, which is the one that the person looks at, however wrong it is.
    const when = problem?.retryAt && Date.now() + local(problem.retryAt) - performance.now();
    const at = when ? new Date(when).toLocaleTimeString(this.#tag) : "…";
    const said = this.text(`account.is.${code}`) || this.text(`is.${code}`, { at });
    return said || this.text("is.store_unavailable");
  }
}
