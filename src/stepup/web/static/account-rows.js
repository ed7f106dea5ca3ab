/**
 * The rows of an element: drawn by their ids, so that the focus and what is being typed outlive a refresh; what their
 * buttons are called; and the field for another name.
 *
 * @typedef {import("./account-element.js").AccountElement} Host
 */
import { neighbour } from "./account-pure.js";
import { h } from "./dom.js";

export class Rows {
  list = h("ul", { part: "list", role: "list", hidden: true });
  /** @type {Map<string, HTMLLIElement>} */
  #shown = new Map();
  #host;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
  }

  /**
   * One row for each of `items`, by its id. A row that says the same, or is being edited, keeps its element, and with
   * it the focus that a closing dialog gives back.
   * @template {{id: string}} T
   * @param {readonly T[]} items
   * @param {(item: T) => HTMLLIElement} make
   */
  draw(items, make) {
    const old = this.#shown;
    this.#shown = new Map();
    for (const item of items) {
      const known = old.get(item.id);
      const made = make(item);
      made.setAttribute("data-id", item.id);
      made.setAttribute("part", "row");
      const same = known && (known.hasAttribute("data-editing") || this.#alike(known, made));
      this.#shown.set(item.id, same ? known : made);
    }
    const rows = [...this.#shown.values()];
    if (rows.length !== this.list.children.length || rows.some((row, at) => row !== this.list.children[at])) {
      this.list.replaceChildren(...rows);
    }
    this.list.hidden = !rows.length;
  }

  /** Whether a row says what another one does, by now. @param {HTMLLIElement} row @param {HTMLLIElement} made */
  #alike(row, made) {
    const copy = /** @type {HTMLLIElement} */ (row.cloneNode(true));
    for (const one of copy.querySelectorAll("[aria-disabled]")) one.removeAttribute("aria-disabled"); // only busy
    copy.removeAttribute("tabindex");
    this.#host.retell(copy);
    return copy.isEqualNode(made);
  }

  /** The row of an id, to be made anew the next time. @param {string} id */
  forget(id) {
    this.#shown.delete(id);
  }

  /** Draw, and keep the focus where it was, or beside it. @param {() => void} deed */
  keeping(deed) {
    const root = this.#host.shadowRoot;
    const focused = root?.activeElement;
    const before = [...this.#shown.keys()];
    const id = focused?.closest("li[data-id]")?.getAttribute("data-id");
    const does = focused?.getAttribute("data-does") ?? "";
    deed();
    if (!focused || root?.activeElement === focused) return;
    if (focused.isConnected) return /** @type {HTMLElement} */ (focused).focus();
    this.focusOn(id && neighbour(before, id, [...this.#shown.keys()]), does);
  }

  /**
   * Focus on what does something in a row, else on the row's first button, else on the heading.
   * @param {string | null | undefined} id the row; nothing for what stands below the rows
   * @param {string} does
   */
  focusOn(id, does) {
    const where = id ? this.#shown.get(id) : this.#host.foot;
    const found = where?.querySelector(`[data-does="${does}"]`) ?? where?.querySelector("button") ?? this.#host.heading;
    /** @type {HTMLElement} */ (found).focus();
  }
}

/**
 * A button that does something; what it does it to is in its name, for those who hear it alone.
 * @param {string} does
 * @param {string} text
 * @param {string} name
 * @param {(button: HTMLButtonElement) => unknown} click
 */
export function action(does, text, name, click) {
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
 * @param {Host} host
 * @param {HTMLLIElement} row
 * @param {{label: string, said: string}} name what it is called now, and how that is said
 * @param {(label: string, button: HTMLElement) => Promise<boolean>} save
 */
export function edit(host, row, { label: old, said }, save) {
  const id = row.getAttribute("data-id") ?? "";
  const input = h("input", { id: `name-${id}`, part: "input", type: "text", maxlength: 64, autocomplete: "off", value: old });
  const done = async (/** @type {boolean} */ saved) => {
    host.rows.forget(id);
    if (saved) await host.refresh();
    else host.drawn();
    host.rows.focusOn(id, "rename");
  };
  const button = h("button", { part: "button save" }, host.text("account.save"));
  const cancel = h("button", { type: "button", part: "button cancel", click: () => done(false) }, host.text("cancel"));
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const label = input.value.trim().replace(/[\p{C}\u2028\u2029]/gu, "\ufffd"); // as the server does: it is said at once
    if (label === old) return done(false);
    if (await save(label, button)) await done(true);
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && void done(false);
  const label = h("label", { for: `name-${id}`, part: "label" }, host.text("account.newname", { name: said }));
  row.setAttribute("data-editing", "");
  host.say("");
  const form = { class: "edit", part: "form", novalidate: true, submit, keydown };
  row.querySelector(".actions")?.replaceWith(h("form", form, label, input, h("div", { class: "buttons" }, button, cancel)));
  input.focus();
  input.select();
}
