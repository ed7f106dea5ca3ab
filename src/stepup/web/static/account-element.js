/**
 * What `<stepup-events>`, `<stepup-factors>` and `<stepup-devices>` have in common: a heading, what is said, rows, and
 * the states of loading, empty, failed and not available.
 *
 * A subclass says what is loaded (`load`) and drawn (`draw`). `refresh` does both; it runs once at a time, and once more
 * where it was asked for meanwhile. A row keeps its element while it is being edited, and the focus stays where it was.
 * Two regions, `status` and `error`, stand there from the beginning, so that what is put there is read out.
 */
import { retell, time } from "./account-dom.js";
import { listen, now, request } from "./account-api.js";
import { headingLevel, neighbour, regional } from "./account-pure.js";
import { sheet as accountSheet } from "./account-style.js";
import { AccountWords, accountWords } from "./account-texts.js";
import { local } from "./api.js";
import { h } from "./dom.js";
import { StepUpCancelledError, StepUpError } from "./pure.js";
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
  /** @type {Map<string, {row: HTMLLIElement, as: string}>} */
  #shown = new Map();

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
    this.rows = h("ul", { part: "list", role: "list", hidden: true });
    this.foot = h("div", { class: "foot" });
    this.section = h(
      "section", { part: "section", "aria-labelledby": "title" },
      this.heading, this.lead, this.error, this.link, this.retry, this.status, this.wait, this.none, this.rows, this.foot,
    ); // prettier-ignore
    root.append(this.section);
    this.#head();
  }

  connectedCallback() {
    this.#here = new AbortController();
    const { signal } = this.#here;
    listen(() => void this.refresh(), signal);
    const timer = setInterval(() => this.#retell(), MINUTE / 2);
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
   * @returns {Promise<void>}
   */
  async load() {}

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
      await this.load();
      this.loaded = true;
      this.#failed(null);
      this.#drawn();
    } catch (error) {
      this.#failed(error);
    }
    this.wait.hidden = true;
    this.section.removeAttribute("aria-busy");
  }

  #drawn() {
    this.keeping(() => this.draw());
    this.none.hidden = !this.empty;
    this.none.textContent = this.empty && this.text(this.empty);
    this.rows.hidden = !this.rows.firstChild;
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

  #retell() {
    for (const one of this.section.querySelectorAll("time")) retell(one, now(), this.#tag);
  }

  // -- what goes wrong ---------------------------------------------------------------------------

  /** @param {unknown} error why it could not be read; null if it could */
  #failed(error) {
    const code = error instanceof StepUpError ? error.code : error ? "store_unavailable" : "";
    const missing = code === "not_found";
    if (error || !this.retry.hidden) this.error.textContent = error && !missing ? this.trouble(error) : "";
    this.retry.hidden = !error || missing || code === "login_required";
    const where = error instanceof StepUpError && code === "login_required" ? error.problem?.loginUrl : null;
    this.link.hidden = !where;
    this.link.href = where ?? "";
    this.link.textContent = where ? this.text("to.login_required") : "";
    if (!missing) return;
    this.none.hidden = false;
    this.none.textContent = this.text("account.unavailable");
    this.rows.replaceChildren();
    this.foot.replaceChildren();
    this.rows.hidden = true;
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

  // -- rows ----------------------------------------------------------------------------------------

  /**
   * Draw rows: one for each of `items`, by its id. A row that is the same, or is being edited, keeps its element, and
   * with it the focus that a closing dialog gives back.
   * @template {{id: string}} T
   * @param {readonly T[]} items
   * @param {(item: T) => HTMLLIElement} make
   */
  list(items, make) {
    const old = this.#shown;
    this.#shown = new Map();
    for (const item of items) {
      const as = `${this.#tag} ${JSON.stringify(item)}`;
      const known = old.get(item.id);
      const same = known && (known.row.hasAttribute("data-editing") || known.as === as);
      const row = same ? known.row : make(item);
      row.setAttribute("data-id", item.id);
      row.setAttribute("part", "row");
      this.#shown.set(item.id, { row, as: same ? known.as : as });
    }
    const rows = [...this.#shown.values()].map(({ row }) => row);
    if (rows.length !== this.rows.children.length || rows.some((row, at) => row !== this.rows.children[at])) {
      this.rows.replaceChildren(...rows);
    }
  }

  /** Do something to the rows, and keep the focus where it was, or beside it. @param {() => void} deed */
  keeping(deed) {
    const focused = this.shadowRoot?.activeElement;
    const before = [...this.#shown.keys()];
    const id = focused?.closest("li[data-id]")?.getAttribute("data-id");
    const does = focused?.getAttribute("data-does") ?? "";
    deed();
    if (!focused || this.shadowRoot?.activeElement === focused) return;
    if (focused.isConnected) return /** @type {HTMLElement} */ (focused).focus();
    this.focusOn(id && neighbour(before, id, [...this.#shown.keys()]), does);
  }

  /**
   * Focus on what does something in a row, else on the row's first button, else on the heading.
   * @param {string | null | undefined} id the row; nothing for what stands below the rows
   * @param {string} does
   */
  focusOn(id, does) {
    const where = id ? this.#shown.get(id)?.row : this.foot;
    const found = where?.querySelector(`[data-does="${does}"]`) ?? where?.querySelector("button") ?? this.heading;
    /** @type {HTMLElement} */ (found).focus();
  }

  /**
   * A button that does something; what it does it to is in its name, for those who hear it alone.
   * @param {string} does
   * @param {string} text
   * @param {string} name
   * @param {(button: HTMLButtonElement) => unknown} click
   */
  action(does, text, name, click) {
    /** @type {HTMLButtonElement} */
    const made = h(
      "button",
      {
        type: "button", part: `button ${does}`, "data-does": does, "aria-label": name === text ? null : name,
        click: () => made.getAttribute("aria-disabled") !== "true" && click(made),
      },
      text,
    ); // prettier-ignore
    return made;
  }

  /**
   * A field in place of a row's buttons, to give it another name.
   * @param {HTMLLIElement} row
   * @param {string} name what it is called now
   * @param {(label: string, button: HTMLElement) => Promise<boolean>} save
   * @param {string} [said] what it is called in words, where it has no name of its own
   */
  edit(row, name, save, said = name) {
    const id = row.getAttribute("data-id") ?? "";
    const input = h("input", { id: `name-${id}`, part: "input", type: "text", maxlength: 64, autocomplete: "off", value: name });
    const done = async (/** @type {boolean} */ saved) => {
      this.#shown.delete(id);
      if (saved) await this.refresh();
      else this.#drawn();
      this.focusOn(id, "rename");
    };
    const button = h("button", { part: "button save" }, this.text("account.save"));
    const cancel = h("button", { type: "button", part: "button cancel", click: () => done(false) }, this.text("cancel"));
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const label = input.value.trim();
      if (label === name) return done(false);
      if (await save(label, button)) await done(true);
    };
    const keydown = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && void done(false);
    const label = h("label", { for: `name-${id}`, part: "label" }, this.text("account.newname", { name: said }));
    row.setAttribute("data-editing", "");
    this.say("");
    const form = { class: "edit", part: "form", novalidate: true, submit, keydown };
    row.querySelector(".actions")?.replaceWith(h("form", form, label, input, h("div", { class: "buttons" }, button, cancel)));
    input.focus();
    input.select();
  }
}
