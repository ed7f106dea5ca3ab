/**
 * The fields of each method. What is typed stays in the field alone; a panel that is replaced takes it along.
 *
 * @typedef {import("./texts.js").Words} Words
 */
import { h } from "./dom.js";
import { cleanCode, codeTrouble } from "./pure.js";

const DIGITS = new Set(["totp", "email_code"]);
const CODE = { type: "text", inputmode: "numeric", autocomplete: "one-time-code" };
const LETTERS = { type: "text", autocomplete: "off", autocapitalize: "none", spellcheck: "false" };
/** @type {Record<string, Record<string, string>>} */
const INPUTS = { totp: CODE, email_code: CODE, password: { type: "password", autocomplete: "current-password" } };

/**
 * Whether a method has something to type.
 * @param {string} method
 */
export const typed = (method) => method !== "passkey" && method !== "approval";

/**
 * The field of a method with all that belongs to it.
 * @param {string} method
 * @param {Words} words
 * @param {string} account
 */
export function field(method, words, account) {
  const input = h("input", {
    id: "answer",
    part: "input",
    required: true,
    "aria-describedby": "error hint",
    ...(INPUTS[method] ?? LETTERS),
  });
  const label = words.say(`${method}.label`) || words.say("other.label");
  const name = h("label", { for: "answer", part: "label" }, label);
  if (method !== "password") return { input, parts: [name, input] };
  return { input, parts: [named(account), name, h("div", { class: "row" }, input, shown(input, words))] };
}

/**
 * Who it is, for password managers alone: they fill in a password only beside a name.
 * @param {string} account
 */
function named(account) {
  const name = { type: "text", autocomplete: "username", name: "username", readonly: true, tabindex: -1, value: account };
  return h("div", { class: "aside", "aria-hidden": "true" }, h("input", name));
}

/**
 * @param {HTMLInputElement} input
 * @param {Words} words
 */
function shown(input, words) {
  const button = h("button", { type: "button", part: "button", "aria-pressed": "false", click }, words.say("show"));
  function click() {
    const hidden = input.type === "password";
    input.type = hidden ? "text" : "password";
    button.setAttribute("aria-pressed", String(hidden));
  }
  return button;
}

/**
 * What was typed, as it is sent; or what is plainly wrong with it.
 * @param {string} method
 * @param {string} value
 * @returns {{value: string, trouble: string}}
 */
export function read(method, value) {
  if (!DIGITS.has(method)) return { value, trouble: value.trim() ? "" : "empty" };
  const code = cleanCode(value);
  return { value: code, trouble: codeTrouble(code) };
}
