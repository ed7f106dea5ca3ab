/**
 * Elements from values: the only way anything gets into the dialog, so text is always text and never markup.
 *
 * @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Prop
 */

/**
 * An element. A function is a listener for the event of that name; true is an attribute without a value.
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Record<string, Prop>} [props]
 * @param {...(Node | string | null | false | undefined)} children
 * @returns {HTMLElementTagNameMap[N]}
 */
export function h(name, props = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((one) => one != null && one !== false).map((one) => /** @type {Node} */ (one)));
  return made;
}

/**
 * Text from elsewhere, which may run in another direction than the page.
 * @param {string} text
 */
export const bdi = (text) => h("bdi", {}, text);
