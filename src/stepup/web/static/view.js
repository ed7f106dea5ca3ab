/**
 * What the dialog shows: its elements, the panel of a method, the buttons of a state, what is said. No calls, no time
 * of its own. Two regions, `status` and `error`, stand in it from the beginning, so that what is put there is read out.
 *
 * @typedef {import("./ceremony.js").Ceremony} Ceremony
 * @typedef {{submit: () => void, send: () => void, more: () => void, closed: () => void,
 *   choose: (method: string) => void}} On
 */
import { bdi, h } from "./dom.js";
import { field, typed } from "./panels.js";
import { clock } from "./pure.js";
import { Words } from "./texts.js";
import { available } from "./webauthn.js";

/** Approving what somebody else asks for. Its resource is their request, by an id that says nothing to anybody. */
const APPROVES = "stepup.approval.approve";
/** What the server tells of such a request besides its params; the names of the texts for it. */
const ASKS = ["For", "Requested by", "On behalf of", "On"];
/** What has to be sent, or made, before it can be answered. */
const SENDS = new Set(["email_code", "passkey", "approval"]);
/** Ends after which starting again would come to the same. */
export const FINAL = new Set(["no_usable_method", "login_required", "action_blocked", "approval_denied"]);

/**
 * The ways of `ceremony` that this browser can go.
 * @param {Ceremony} ceremony
 */
export const ways = ({ methods }) => methods.filter((one) => one !== "passkey" || available);

export class View {
  words = new Words("en", {});
  /** The way that is shown; empty before the first, and at the end. */
  method = "";
  /** Why nothing can be answered any more; empty while it can. */
  ended = "";
  /** Whether it is proved. */
  done = false;
  /** @type {HTMLInputElement | null} */
  input = null;
  #on;

  /** @param {On} on */
  constructor(on) {
    this.#on = on;
    const button = (/** @type {string} */ part, /** @type {() => void} */ click) => h("button", { type: "button", part, click });
    this.title = h("h2", { id: "title", part: "title", tabindex: -1, autofocus: true });
    this.lead = h("p", { id: "lead", part: "lead" });
    this.summary = h("dl", { part: "summary" });
    this.error = h("div", { id: "error", part: "error", role: "alert" });
    this.status = h("div", { part: "status", role: "status" });
    this.tabs = h("div", { part: "tabs", role: "tablist", keydown: (event) => this.#arrow(event) });
    this.panel = h("form", { part: "panel", novalidate: true, submit: (event) => (event.preventDefault(), on.submit()) });
    this.room = h("div", {}, this.panel); // a form cannot be a tab's panel itself
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

  /** What went wrong; what was typed is there to be mended. @param {string} text */
  wrong(text) {
    this.error.textContent = text;
    this.input?.setAttribute("aria-invalid", "true");
    this.input?.focus();
    this.input?.select();
  }

  /**
   * Show it, with nothing to answer yet.
   * @param {Words} words
   * @param {string | null} help
   */
  start(words, help) {
    this.words = words;
    Object.assign(this.dialog, { lang: words.lang, dir: words.dir });
    this.title.textContent = this.text("title");
    this.tabs.setAttribute("aria-label", this.text("ways"));
    this.more.textContent = this.text("more");
    this.help.textContent = this.text("help");
    this.help.href = help ?? "";
    this.help.hidden = help === null;
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

  /**
   * What is to be approved, by whom, and which ways there are not.
   * @param {Ceremony} ceremony
   */
  describe({ challenge, about, problem, methods, terms }) {
    const { action, actor, params } = /** @type {import("./types.js").Challenge} */ (challenge);
    const [before = "", after = ""] = this.text("lead", { site: location.host }).split("{who}");
    this.lead.replaceChildren(before, h("strong", {}, bdi(actor.email ?? actor.id)), after);
    const approves = action.id === APPROVES;
    const asks = approves ? params.filter(({ label }) => ASKS.includes(label)) : [];
    asks.sort((one, other) => ASKS.indexOf(one.label) - ASKS.indexOf(other.label));
    const rest = terms.items.length ? [] : params.filter((one) => !asks.includes(one));
    const rows = [
      [this.text("action"), action.label],
      [this.text("description"), about],
      [action.resourceType ?? "", approves ? "" : (action.resourceId ?? "")],
      ...asks.map(({ label, value }) => [this.text(`asks.${label}`), value]),
      ...rest.map(({ label, value }) => [label, value]),
      [this.text("uses"), !terms.items.length && (terms.uses ?? 0) > 1 ? this.text("uses.upto", { n: terms.uses ?? 0 }) : ""],
      [this.text("behalf"), terms.onBehalfOf ?? ""],
    ].filter(([, value]) => value);
    const risk = action.riskLevel;
    this.summary.replaceChildren(
      ...rows.flatMap(([name = "", value = ""]) => [h("dt", {}, bdi(name)), h("dd", {}, bdi(value))]),
      h("dt", {}, this.text("risk")),
      h("dd", { part: "risk", "data-risk": risk }, this.text(`risk.${risk}`) || risk),
    );
    if (terms.items.length) this.summary.append(h("dt", {}, this.text("items", { n: terms.items.length })), this.#items(terms.items));
    const not = { ...problem.unavailable, ...(methods.includes("passkey") && !available ? { passkey: "browser" } : {}) };
    const named = Object.entries(not).map(([name, why]) => `${this.name(name)} (${this.text(`why.${why}`) || this.text("why.other")})`);
    this.others.textContent = named.length ? `${this.text("unavailable")} ${named.join(", ")}` : "";
  }

  /** Every call of a bundle: nothing is approved unseen. @param {import("./types.js").Terms["items"]} items */
  #items(items) {
    const line = (/** @type {import("./types.js").Terms["items"][number]} */ { label, resource, params }) => {
      const named = resource ? [[resource.type, resource.label ? `${resource.label} (${resource.id})` : resource.id]] : [];
      const facts = [...named, ...params.map((one) => [one.label, one.value])];
      return h("li", {}, bdi(label), ...facts.flatMap(([name = "", value = ""]) => [", ", bdi(name), ": ", bdi(value)]));
    };
    return h("dd", {}, h("ol", { part: "items" }, ...items.map(line)));
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
  choose(ceremony, method, focus = false) {
    const { challenge, sent } = ceremony;
    const every = ways(ceremony);
    const own = typed(method) && (!SENDS.has(method) || sent.has(method));
    const made = own ? field(method, this.words, challenge?.actor.email ?? challenge?.actor.id ?? "") : null;
    const heading = h("h3", { id: "heading", part: "heading", tabindex: -1 }, this.name(method));
    this.method = method;
    this.ended = "";
    this.input = made?.input ?? null;
    this.tabs.hidden = every.length < 2;
    this.tabs.replaceChildren(...every.map((one) => this.#tab(one)));
    this.resend.hidden = !(own && SENDS.has(method));
    this.room.setAttribute("role", this.tabs.hidden ? "group" : "tabpanel");
    this.room.setAttribute("aria-labelledby", "heading");
    this.panel.replaceChildren(
      heading,
      h("p", { id: "hint", class: "soft", part: "hint" }, this.text(`${method}.hint`)),
      ...(made?.parts ?? []),
      ...(challenge?.policy.allowTrustedDeviceRemembering ? [this.#remember()] : []),
      this.deed,
      this.resend,
    );
    this.error.replaceChildren();
    if (focus) (this.resend.hidden ? heading : (this.input ?? heading)).focus();
  }

  /** @param {string} method */
  #tab(method) {
    const chosen = method === this.method;
    const click = () => this.#on.choose(method);
    const part = chosen ? "tab tab-selected" : "tab";
    const props = { type: "button", role: "tab", part, "aria-selected": `${chosen}`, tabindex: chosen ? 0 : -1, click };
    return h("button", props, this.name(method));
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
    const box = h("input", { id: "remember", type: "checkbox", "aria-describedby": "remembering" });
    const label = h("label", { class: "check", for: "remember" }, box, this.text("remember"));
    return h("div", { part: "remember" }, label, h("p", { id: "remembering", class: "soft" }, this.text("remember.hint")));
  }

  /** Whether the person wants this device to be remembered. */
  get remembers() {
    return this.panel.querySelector("input:checked") !== null;
  }

  /**
   * It takes no answer any more: say why, and what can be done.
   * @param {string} why
   * @param {string | null} [link] where that is
   */
  end(why, link) {
    const known = this.text(`is.${why}`) ? why : "challenge_closed";
    this.bare();
    this.ended = known;
    this.say("");
    this.error.textContent = this.text(`is.${known}`);
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
    const sends = SENDS.has(this.method) && !this.input;
    const last = FINAL.has(this.ended);
    const idle = this.ended ? (last ? "close" : "again") : sends ? `${this.method}.go` : "go";
    const busy = `${working !== ""}`;
    this.deed.textContent = this.text(working || idle);
    this.deed.setAttribute("aria-disabled", busy);
    this.panel.setAttribute("aria-busy", busy);
    this.cancel.textContent = this.text(this.done ? "close" : "cancel");
    this.standing.hidden = !this.method && !this.done;
    const [proof, result] = this.done ? ["ready", "confirmed"] : ["missing", "waiting"];
    const rows = { proof: `proof.${proof}`, result: `result.${result}` };
    this.standing.replaceChildren(
      ...Object.entries(rows).flatMap(([name, is]) => [h("dt", {}, this.text(name)), h("dd", {}, this.text(is))]),
    );
    this.cancel.hidden = last;
    this.more.hidden = !this.method || !more;
    this.summary.hidden = !this.summary.firstChild;
  }

  /**
   * The button for another code, and how long it has to wait.
   * @param {number} seconds
   * @param {boolean} busy
   */
  cooldown(seconds, busy) {
    this.resend.setAttribute("aria-disabled", `${seconds > 0 || busy}`);
    this.resend.textContent = seconds ? this.text("wait", { time: clock(seconds) }) : this.text("resend");
  }
}
