/**
 * `<stepup-factors>`: the ways to confirm: what there is, adding, another name, removing. `enrol.js` and
 * `enrol-codes.js` have the panels in which something is added. What is guarded on the server asks in the dialog first;
 * nothing here decides anything.
 *
 * @typedef {import("./account-types.js").Factor} Factor
 * @typedef {import("./account-types.js").Change} Change
 */
import { tell } from "./account-api.js";
import { icon } from "./account-dom.js";
import { AccountElement } from "./account-element.js";
import { action, edit } from "./account-rows.js";
import { available } from "./api.js";
import { bdi, h } from "./dom.js";
import { recoveryCodes } from "./enrol-codes.js";
import { passkey, totp } from "./enrol.js";

/** @type {Record<string, (host: StepUpFactors, signal: AbortSignal) => void>} */
const PANELS = { passkey, totp, recovery_code: recoveryCodes };

export class StepUpFactors extends AccountElement {
  static what = "factors";

  /** @type {Factor[]} */
  factors = [];
  /** @type {string[]} */
  #enrollable = [];
  /** What is being added; empty for nothing. */
  #adding = "";
  /** Aborted when the panel closes. */
  #open = new AbortController();

  constructor() {
    super();
    this.ways = h("div", { class: "adding" });
    this.room = h("div", {});
    this.foot.append(this.ways, this.room);
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener("pagehide", this.#left);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener("pagehide", this.#left);
  }

  #left = () => this.left();

  left() {
    this.close();
  }

  get empty() {
    return this.factors.length ? "" : "factors.empty";
  }

  /** @param {(path: string) => Promise<any>} read */
  async load(read) {
    const { factors, enrollable } = await read("factors");
    this.factors = factors;
    this.#enrollable = enrollable.filter((/** @type {string} */ name) => name in PANELS);
  }

  draw() {
    this.rows.draw(this.factors, (factor) => this.#row(factor));
    if (!this.foot.contains(this.ways)) this.foot.append(this.ways, this.room);
    const heading = this.subheading(this.text("factors.add"));
    const buttons = this.#enrollable.map((method) => this.#add(method));
    if (!this.#adding) this.ways.replaceChildren(heading, h("div", { class: "buttons" }, ...buttons));
    this.ways.hidden = this.#adding !== "" || !buttons.length;
  }

  // -- what there is ----------------------------------------------------------------------------

  /** What a factor is called. @param {Factor} factor */
  name({ method, label }) {
    return label || this.method(method);
  }

  /** @param {string} method */
  method(method) {
    return method === "recovery_code" ? this.text("factors.codes") : this.text(method) || method;
  }

  /** @param {Factor} factor */
  #row(factor) {
    const { method, quarantinedUntil: until } = factor;
    const name = this.name(factor);
    const named = (/** @type {string} */ text) => this.text(text, { name });
    const waiting = until ? this.when("factors.waiting", until) : factor.usable ? null : this.text("factors.unusable");
    /** @type {HTMLLIElement} */
    const row = h(
      "li", {},
      icon(method),
      h(
        "div", { class: "main" },
        h("p", { class: "name", part: "name" }, bdi(name), waiting ? h("span", { class: "badge", part: "badge badge-open", "data-kind": "open" }, waiting) : null),
        h(
          "p", { class: "meta soft", part: "meta" },
          factor.label ? h("span", {}, this.method(method)) : null,
          factor.enrolledAt ? this.when("factors.added", factor.enrolledAt) : null,
        ),
      ),
      factor.removable && h(
        "div", { class: "actions" },
        method !== "recovery_code" && action("rename", this.text("account.rename"), named("account.rename.name"), () =>
          edit(this, row, { label: factor.label, said: name }, (label, button) => this.#rename(factor, label, button))),
        action("remove", this.text("account.remove"), named("account.remove.name"), (button) => this.#remove(factor, button)),
      ),
    ); // prettier-ignore
    return row;
  }

  /** @param {Factor} factor @param {string} label @param {HTMLElement} button */
  async #rename({ id, method }, label, button) {
    if (!(await this.change(button, () => this.request("PATCH", `factors/${id}`, { label })))) return false;
    this.say(this.text("account.renamed", { name: label || this.method(method) }));
    this.tell("renamed", method, id);
    return true;
  }

  /** @param {Factor} factor @param {HTMLElement} button */
  async #remove(factor, button) {
    const { id, method } = factor;
    const done = await this.change(button, () => this.request("DELETE", `factors/${id}`));
    if (done) this.say(this.text("factors.is.removed", { name: this.name(factor) }));
    if (done) this.tell("removed", method, id);
    await this.refresh();
  }

  /** @param {Change["change"]} change @param {string} method @param {string} [id] */
  tell(change, method, id) {
    tell(this, { what: "factor", change, method, ...(id ? { id } : {}) });
  }

  // -- adding -------------------------------------------------------------------------------------

  /** @param {string} method */
  #add(method) {
    const held = method === "recovery_code" && this.factors.some((one) => one.method === method);
    const text = this.text(held ? "factors.replace" : `factors.add.${method}`);
    const button = action(`add-${method}`, text, text, () => this.#begin(method));
    if (method === "passkey" && !available) {
      button.setAttribute("aria-disabled", "true");
      button.title = this.text("passkey.none");
    }
    return button;
  }

  /** @param {string} method */
  #begin(method) {
    if (this.busy) return;
    this.say("");
    this.#adding = method;
    this.#open = new AbortController();
    this.ways.hidden = true;
    PANELS[method]?.(this, this.#open.signal);
  }

  /** Show a panel in place of the one before. @param {HTMLElement} panel @param {HTMLElement} focus */
  show(panel, focus) {
    this.room.replaceChildren(panel);
    focus.focus();
  }

  /** Close the panel, and leave nothing of it. */
  close() {
    const method = this.#adding;
    this.#adding = "";
    this.#open.abort();
    const inside = this.room.contains(this.shadowRoot?.activeElement ?? null);
    this.room.replaceChildren();
    if (!method || !this.loaded || !this.isConnected) return;
    this.draw();
    if (inside) this.rows.focusOn(null, `add-${method}`);
  }

  /** Close the panel: something was added. @param {Factor} factor */
  added(factor) {
    const { id, method, quarantinedUntil } = factor;
    const name = this.name(factor);
    this.close();
    const when = quarantinedUntil ? (this.time(quarantinedUntil).textContent ?? "") : "";
    this.say(this.text(when ? "factors.is.waiting" : "factors.is.added", { name, when }));
    this.tell("added", method, id);
  }
}
