/**
 * What the dialog shows: its elements, the panel of a method, the buttons of a state, what is said. No calls, no time
 * of its own. Two regions, `status` and `error`, stand in it from the beginning, so that what is put there is read out.
 * What is typed stays in the field alone; a panel that is replaced takes it along.
 *
 * @typedef {import("./api.js").Ceremony} Ceremony
 * @typedef {import("./terms.js").Row} Row
 * @typedef {{submit: () => void, more: () => void, closed: () => void, send: () => void,
 *   choose: (method: string) => void}} On
 */
import { available } from "./api.js";
import { bdi, h } from "./dom.js";
import { cleanCode, codeTrouble, loaded } from "./pure.js";
import { Words } from "./texts.js";

/** What has to be sent, or made, before it can be answered. */
const SENDS = new Set(["email_code", "passkey", "approval"]);
/** Ends after which starting again would come to the same. */
export const FINAL = new Set(["no_usable_method", "login_required", "action_blocked", "approval_denied"]);
const CODE = { type: "text", inputmode: "numeric", autocomplete: "one-time-code" };
const LETTERS = { type: "text", autocomplete: "off", autocapitalize: "none", spellcheck: "false" };
/** @type {Record<string, Record<string, string>>} */
const INPUTS = { totp: CODE, email_code: CODE, password: { type: "password", autocomplete: "current-password" } };

/**
 * The ways of `ceremony` that this browser can go.
 * @param {Ceremony} ceremony
 */
export const ways = ({ methods }) => methods.filter((one) => one !== "passkey" || available);

/**
 * The ways that there are not, each with the reason.
 * @param {Ceremony} ceremony
 */
const missing = ({ problem, methods }) =>
  Object.entries({ ...problem.unavailable, ...(methods.includes("passkey") && !available && { passkey: "browser" }) });

/**
 * Whether remembering the device does anything where `method` finishes it: not after a recovery code, nor where nothing
 * but the word of others was given.
 * @param {Ceremony} ceremony
 * @param {string} method
 */
export function remembering({ challenge, proved }, method) {
  const all = [...proved, method];
  const counts = !all.includes("recovery_code") && all.some((one) => one !== "approval");
  return counts && challenge?.policy.allowTrustedDeviceRemembering === true;
}

export class View {
  words = new Words("en", {});
  /** The way that is shown; empty before the first, and at the end. */
  method = "";
  /** Why nothing can be answered any more; empty while it can. */
  ended = "";
  /** Whether it is proved. */
  done = false;
  /** Whether the person wants this device to be remembered; for as long as the dialog is open, whatever way is taken. */
  remember = false;
  /** @type {HTMLInputElement | null} */
  input = null;
  #choose;

  /** @param {On} on */
  constructor(on) {
    this.#choose = on.choose;
    const button = (/** @type {string} */ part, /** @type {() => void} */ click) => h("button", { type: "button", part, click });
    this.title = h("h2", { id: "title", part: "title", tabindex: -1, autofocus: true });
    this.lead = h("p", { id: "lead", part: "lead" });
    this.summary = h("dl", { part: "summary" });
    this.error = h("div", { id: "error", part: "error", role: "alert" });
    this.status = h("div", { part: "status", role: "status" });
    this.tabs = h("div", { part: "tabs", role: "tablist", keydown: (event) => this.#arrow(event) });
    this.panel = h("form", { part: "panel", novalidate: true, submit: (event) => (event.preventDefault(), on.submit()) });
    this.room = h("div", { id: "room" }, this.panel); // a form cannot be a tab's panel itself
    this.deed = h("button", { class: "deed", part: "primary" });
    this.resend = button("resend", on.send);
    this.others = h("p", { class: "soft", part: "unavailable" });
    this.standing = h("dl", { part: "standing" });
    this.timer = h("span", { class: "soft", role: "timer", part: "timer" });
    this.more = button("more", on.more);
    this.cancel = button("cancel", () => this.dialog.close());
    this.help = h("a", { part: "help" });
    this.dialog = h(
      "dialog",
      { part: "dialog", "aria-labelledby": "title", "aria-describedby": "lead", close: on.closed },
      this.title, this.lead, this.summary, this.error, this.status, this.tabs, this.room, this.others, this.standing,
      h("div", { class: "row" }, this.timer, this.more, this.cancel),
      this.help,
    ); // prettier-ignore
  }

  /** @param {string} name @param {Record<string, string | number>} [values] */
  text(name, values) {
    return this.words.say(name, values);
  }

  /** @param {string} text */
  say(text) {
    this.status.textContent = text;
  }

  /** @param {string} name @param {Record<string, string | number>} [values] */
  tell(name, values) {
    this.say(this.text(name, values));
  }

  /** What went wrong; what was typed is there to be mended. @param {string} text */
  wrong(text) {
    this.error.textContent = text;
    this.input?.setAttribute("aria-invalid", "true");
    this.input?.focus();
    this.input?.select();
  }

  /** Show it, with nothing to answer yet. @param {Words} words @param {string | null} help */
  start(words, help) {
    this.words = words;
    Object.assign(this.dialog, { lang: words.lang, dir: words.dir });
    this.title.textContent = this.text("title");
    this.tabs.setAttribute("aria-label", this.text("ways"));
    this.more.textContent = this.text("more");
    this.help.textContent = this.text("help");
    this.help.href = help ?? "";
    this.help.hidden = help === null;
    this.summary.replaceChildren();
    this.lead.replaceChildren();
    this.remember = false;
    this.bare();
    this.dialog.showModal();
  }

  /** Leave nothing to answer, and nothing that was typed or shown. */
  bare() {
    this.method = this.ended = "";
    this.done = false;
    this.input = null;
    this.room.removeAttribute("role");
    this.room.removeAttribute("aria-labelledby");
    for (const one of [this.panel, this.error, this.others, this.timer]) one.replaceChildren();
    this.tabs.hidden = this.resend.hidden = true;
  }

  /** What only some requests say, loaded for these before anything is shown. @param {Ceremony} ceremony */
  async rare(ceremony) {
    const { items, uses, onBehalfOf } = ceremony.terms;
    const approves = ceremony.challenge?.action.id === "stepup.approval.approve";
    const plain = !items.length && (uses ?? 1) < 2 && !onBehalfOf && !approves && !missing(ceremony).length;
    return plain ? null : this.with(import("./terms.js"));
  }

  /**
   * What is to be approved, by whom, and which ways there are not.
   * @param {Ceremony} ceremony
   * @param {typeof import("./terms.js") | null} rare
   */
  describe(ceremony, rare) {
    const { terms } = ceremony;
    const challenge = /** @type {import("./types.js").Challenge} */ (ceremony.challenge);
    const { action, actor, params } = challenge;
    const { resourceId: id } = action;
    /** @type {Row[]} */
    const common = [[action.resourceType, terms.resourceLabel ? `${terms.resourceLabel} (${id})` : id]];
    for (const { label, value } of params) common.push([label, value]);
    const [rows, more] = rare?.rows(this.words, challenge, terms, common) ?? [common, []];
    const row = (/** @type {Row} */ [name, value]) =>
      value ? [h("dt", {}, bdi(name ?? "")), h("dd", {}, typeof value === "string" ? bdi(value) : value)] : [];
    const [before = "", after = ""] = this.text("lead", { site: location.host }).split("{who}");
    this.lead.replaceChildren(before, h("strong", {}, bdi(actor.email ?? actor.id)), after);
    const risk = action.riskLevel;
    this.summary.replaceChildren(
      ...row([this.text("action"), action.label]),
      ...row([this.text("description"), terms.description]),
      ...rows.flatMap(row),
      h("dt", {}, this.text("risk")),
      h("dd", { part: "risk", "data-risk": risk }, this.text(`risk.${risk}`) || risk),
      ...more.flatMap(row),
    );
    this.others.textContent = rare?.unavailable(this, missing(ceremony)) ?? "";
  }

  /**
   * A part that is loaded when it is needed, with its words.
   * @template {{EN: import("./texts.js").Texts}} T
   * @param {Promise<T>} part
   */
  async with(part) {
    const found = await loaded(part);
    this.words.also(found.EN);
    return found;
  }

  /** @param {string} method */
  name(method) {
    return this.text(method) || method;
  }

  /**
   * Show the panel of a method; what was typed into another one goes.
   * @param {Ceremony} ceremony
   * @param {string} method
   * @param {boolean} [focus]
   */
  choose(ceremony, method, focus) {
    const { challenge, sent } = ceremony;
    const every = ways(ceremony);
    const heading = h("h3", { id: "heading", part: "heading", tabindex: -1 }, this.name(method));
    this.method = method;
    this.ended = "";
    this.input = null;
    const before = SENDS.has(method) && !(method === "email_code" && sent.has(method)); // the button comes first
    const field = before ? [] : this.#field(challenge?.actor);
    this.tabs.hidden = every.length < 2;
    this.tabs.replaceChildren(...every.map((one) => this.#tab(one)));
    this.resend.hidden = !this.input || method !== "email_code";
    this.room.setAttribute("role", this.tabs.hidden ? "group" : "tabpanel");
    this.room.setAttribute("aria-labelledby", "heading");
    this.panel.replaceChildren(
      heading,
      h("p", { id: "hint", class: "soft", part: "hint" }, this.text(`${method}.hint`)),
      ...field,
      ...(remembering(ceremony, method) ? [this.#remember()] : []),
      this.deed,
      this.resend,
    );
    this.error.replaceChildren();
    if (focus) (this.resend.hidden ? heading : (this.input ?? heading)).focus();
  }

  /**
   * The field of the method with all that belongs to it. Password managers fill in a password only beside a name.
   * @param {{id: string, email: string | null} | undefined} actor
   */
  #field(actor) {
    const { method } = this;
    const about = { id: "answer", part: "input", required: true, "aria-describedby": "error hint" };
    const input = (this.input = h("input", { ...about, ...(INPUTS[method] ?? LETTERS) }));
    const label = h("label", { for: "answer", part: "label" }, this.text(`${method}.label`) || this.text("other.label"));
    if (method !== "password") return [label, input];
    const click = () => {
      input.type = input.type === "password" ? "text" : "password";
      show.setAttribute("aria-pressed", `${input.type === "text"}`);
    };
    const show = h("button", { type: "button", part: "button", "aria-pressed": "false", click }, this.text("show"));
    const name = { type: "text", autocomplete: "username", name: "username", readonly: true, tabindex: -1 };
    const account = h("input", { ...name, value: actor?.email ?? actor?.id });
    return [h("div", { class: "aside", "aria-hidden": "true" }, account), label, h("div", { class: "row" }, input, show)];
  }

  /** What was typed, as it is sent; or what is plainly wrong with it. */
  read() {
    const { value } = /** @type {HTMLInputElement} */ (this.input);
    if (INPUTS[this.method] !== CODE) return { value, trouble: value.trim() ? "" : "empty" };
    const code = cleanCode(value);
    return { value: code, trouble: codeTrouble(code) };
  }

  /** @param {string} method */
  #tab(method) {
    const chosen = method === this.method;
    const part = chosen ? "tab tab-selected" : "tab";
    const click = () => this.#choose(method);
    const props = { type: "button", role: "tab", part, "aria-selected": `${chosen}`, tabindex: chosen ? 0 : -1, click };
    return h("button", { ...props, ...(chosen && { "aria-controls": "room" }) }, this.name(method));
  }

  /** Arrows move between the ways, as they are read; Enter or a click chooses. @param {KeyboardEvent} event */
  #arrow(event) {
    const every = /** @type {HTMLElement[]} */ ([...this.tabs.children]);
    const at = every.findIndex((one) => one.matches(":focus"));
    const on = this.words.dir === "rtl" ? -1 : 1;
    const to = { ArrowRight: at + on, ArrowLeft: at - on, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    every.at(to % every.length)?.focus();
  }

  #remember() {
    const change = () => void (this.remember = box.checked);
    const props = { id: "remember", type: "checkbox", "aria-describedby": "remembering", checked: this.remember, change };
    const box = h("input", props);
    const label = h("label", { class: "check", for: "remember" }, box, this.text("remember"));
    return h("div", { part: "remember" }, label, h("p", { id: "remembering", class: "soft" }, this.text("remember.hint")));
  }

  /**
   * It takes no answer any more: say why, and what can be done.
   * @param {string} why
   * @param {string | null} [link] where that is
   */
  end(why, link) {
    this.bare();
    this.ended = this.text(`is.${why}`) ? why : "challenge_closed";
    this.say("");
    this.error.textContent = this.text(`is.${this.ended}`);
    this.panel.replaceChildren(...(link ? [h("p", {}, h("a", { href: link }, this.text(`to.${why}`)))] : []), this.deed);
    this.paint("", false);
    this.deed.focus();
  }

  /**
   * The buttons, as the state is.
   * @param {string} working the text of what is being done; empty for nothing
   * @param {boolean} more whether more time can be had
   */
  paint(working, more) {
    const { method, done } = this;
    const last = FINAL.has(this.ended);
    const idle = last ? "close" : this.ended ? "again" : SENDS.has(method) && !this.input ? `${method}.go` : "go";
    const busy = `${working !== ""}`;
    this.deed.textContent = this.text(working || idle);
    for (const one of [this.deed, this.more, ...this.tabs.children]) one.setAttribute("aria-disabled", busy);
    this.panel.setAttribute("aria-busy", busy);
    this.cancel.textContent = this.text(done ? "close" : "cancel");
    this.standing.hidden = !method && !done;
    const rows = { proof: done ? "ready" : "missing", result: done ? "confirmed" : "waiting" };
    this.standing.replaceChildren(
      ...Object.entries(rows).flatMap(([name, is]) => [h("dt", {}, this.text(name)), h("dd", {}, this.text(`${name}.${is}`))]),
    );
    this.cancel.hidden = last;
    const left = this.more.matches(":focus");
    this.more.hidden = !method || !more;
    if (left && this.more.hidden) this.title.focus();
    this.summary.hidden = !this.summary.firstChild;
  }
}
