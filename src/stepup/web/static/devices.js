/**
 * `<stepup-devices>`: the devices on which the person is asked less often: give one another name, forget it, forget all.
 *
 * @typedef {import("./account-types.js").Device} Device
 */
import { tell } from "./account-api.js";
import { icon } from "./account-dom.js";
import { AccountElement } from "./account-element.js";
import { action, edit } from "./account-rows.js";
import { bdi, h } from "./dom.js";

export class StepUpDevices extends AccountElement {
  static what = "devices";

  /** @type {Device[]} */
  #devices = [];
  #sure = false;

  get empty() {
    return this.#devices.length ? "" : "devices.empty";
  }

  /** @param {(path: string) => Promise<any>} read */
  async load(read) {
    const { devices } = await read("devices");
    const since = (/** @type {Device} */ one) => Date.parse(one.lastUsedAt ?? one.createdAt);
    this.#devices = devices.sort((/** @type {Device} */ a, /** @type {Device} */ b) =>
      Number(b.current) - Number(a.current) || since(b) - since(a)); // prettier-ignore
  }

  draw() {
    this.rows.draw(this.#devices, (device) => this.#row(device));
    if (!this.#devices.length) this.#sure = false;
    this.foot.replaceChildren(...(this.#devices.length ? this.#all() : []));
  }

  /** @param {Device} device */
  #row(device) {
    const name = device.label || this.text("devices.unnamed");
    const named = (/** @type {string} */ text) => this.text(text, { name });
    const badge = h("span", { class: "badge", part: "badge badge-ok", "data-kind": "ok" }, this.text("devices.current"));
    const when = [["since", device.createdAt], ["used", device.lastUsedAt], ["until", device.expiresAt]]; // prettier-ignore
    /** @type {HTMLLIElement} */
    const row = h(
      "li", {},
      icon("device"),
      h(
        "div", { class: "main" },
        h("p", { class: "name", part: "name" }, bdi(name), device.current ? badge : null),
        h("p", { class: "meta soft", part: "meta" }, ...when.map(([text, at]) => at && this.when(`devices.${text}`, at))),
      ),
      h(
        "div", { class: "actions" },
        action("rename", this.text("account.rename"), named("account.rename.name"), () =>
          edit(this, row, { label: device.label, said: name }, (label, button) => this.#rename(device, label, button))),
        action("forget", this.text("devices.forget"), named("devices.forget.name"), (button) => this.#forget(device, name, button)),
      ),
    ); // prettier-ignore
    return row;
  }

  /** @param {Device} device @param {string} label @param {HTMLElement} button */
  async #rename({ id }, label, button) {
    const done = await this.change(button, () => this.request("PATCH", `devices/${id}`, { label }));
    if (!done) return false;
    this.say(this.text("account.renamed", { name: label || this.text("devices.unnamed") }));
    tell(this, { what: "device", change: "renamed", id });
    return true;
  }

  /** @param {Device} device @param {string} name @param {HTMLElement} button */
  async #forget({ id }, name, button) {
    const done = await this.change(button, () => this.request("DELETE", `devices/${id}`));
    if (done) this.say(this.text("devices.forgotten", { name }));
    if (done) tell(this, { what: "device", change: "forgotten", id });
    await this.refresh();
  }

  // -- all of them ------------------------------------------------------------------------------

  #all() {
    const text = this.text("devices.all");
    if (!this.#sure) return [action("all", text, text, () => this.#ask(true))];
    const [yes, no] = [this.text("devices.all.yes"), this.text("cancel")];
    return [
      h(
        "div", { class: "panel", part: "panel", role: "group", "aria-labelledby": "sure" },
        h("p", { id: "sure" }, this.text("devices.all.sure")),
        h(
          "div", { class: "buttons" },
          action("all-yes", yes, yes, (button) => this.#forgetAll(button)),
          action("all-no", no, no, () => this.#ask(false)),
        ),
      ),
    ]; // prettier-ignore
  }

  /** @param {boolean} sure whether the person is being asked for it */
  #ask(sure) {
    this.#sure = sure;
    this.draw();
    this.rows.focusOn(null, sure ? "all-no" : "all");
  }

  /** @param {HTMLElement} button */
  async #forgetAll(button) {
    if (!(await this.change(button, () => this.request("DELETE", "devices")))) return;
    this.#sure = false;
    this.say(this.text("devices.all.done"));
    tell(this, { what: "device", change: "all_forgotten" });
    await this.refresh();
  }
}
