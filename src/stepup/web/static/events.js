/**
 * `<stepup-events>`: what has happened in the account, newest first, a page at a time.
 *
 * @typedef {import("./account-types.js").SecurityEvent} SecurityEvent
 */
import { actionLabels } from "./account-api.js";
import { icon } from "./account-dom.js";
import { AccountElement } from "./account-element.js";
import { browserOf, eventNames, grown, pictureOf } from "./account-pure.js";
import { action } from "./account-rows.js";
import { bdi, h } from "./dom.js";

const MOST = 100;
const FEW = 10;

export class StepUpEvents extends AccountElement {
  static observedAttributes = [...super.observedAttributes, "limit"];
  static what = "events";

  /** @type {{events: SecurityEvent[], after: string | null}} */
  #history = { events: [], after: null };
  /** @type {Map<string, string>} */
  #labels = new Map();

  get empty() {
    return this.#history.events.length ? "" : "events.empty";
  }

  get #limit() {
    const wanted = Number(this.getAttribute("limit"));
    return Number.isInteger(wanted) && wanted >= 1 && wanted <= MOST ? wanted : FEW;
  }

  /** @param {(path: string) => Promise<any>} read */
  async load(read) {
    const newest = await read(`events?limit=${this.#limit}`);
    if (newest.events.some((/** @type {SecurityEvent} */ { action }) => action && !action.startsWith("stepup."))) {
      this.#labels = await actionLabels();
    }
    this.#history = grown(this.#history, newest);
  }

  draw() {
    const { events, after } = this.#history;
    this.rows.draw(events, (event) => this.#row(event));
    if (!after) return this.foot.replaceChildren();
    if (!this.foot.firstChild) {
      const text = this.text("events.older");
      this.foot.append(action("older", text, text, (button) => this.#older(button)));
    }
  }

  /** @param {SecurityEvent} event */
  #row(event) {
    const { result, method, action } = event;
    const title = eventNames(event).map((name) => this.text(name)).find(Boolean) ?? event.type; // prettier-ignore
    const kind = result === "ok" || result === "open" ? result : "refused";
    const badge = h("span", { class: "badge", part: `badge badge-${kind}`, "data-kind": kind }, this.text(`event.${kind}`));
    const told = [
      action && (this.#labels.get(action) || this.text(`action.${action}`) || action),
      event.resourceType && action && !action.startsWith("stepup.") && `${event.resourceType} ${event.resourceId ?? ""}`,
      method && (method === "recovery_code" ? this.text("factors.codes") : this.text(method) || method),
      this.#place(event),
      event.ip,
    ];
    return h(
      "li", {},
      icon(pictureOf(event)),
      h(
        "div", { class: "main" },
        h("p", { class: "name", part: "name" }, title, kind === "ok" ? null : badge),
        h(
          "p", { class: "meta soft", part: "meta" },
          h("span", {}, this.time(event.at)),
          ...told.map((one) => (one ? h("span", {}, bdi(one)) : null)),
        ),
      ),
    ); // prettier-ignore
  }

  /** @param {SecurityEvent} event */
  #place({ userAgent }) {
    const { browser, system } = browserOf(userAgent);
    return browser && system ? this.text("events.place", { browser, system }) : browser || system;
  }

  /** @param {HTMLElement} button */
  #older(button) {
    const { events, after } = this.#history;
    return this.change(button, async () => {
      const page = await this.request("GET", `events?limit=${this.#limit}&after=${encodeURIComponent(after ?? "")}`);
      const known = new Set(this.#history.events.map((one) => one.id));
      const older = page.events.filter((/** @type {SecurityEvent} */ { id }) => !known.has(id));
      this.#history = { events: [...this.#history.events, ...older], after: page.after };
      const first = events.length;
      this.draw();
      this.say(this.words.count("events.shown", older.length));
      if (page.after) return;
      const row = /** @type {HTMLElement | undefined} */ (this.rows.list.children[first]); // the button is gone
      row?.setAttribute("tabindex", "-1");
      row?.focus();
    });
  }
}
