/**
 * The dialog's texts: a flat catalogue. English is here, but for what stands with the parts that are loaded when they are
 * needed (`mail.js`, `approval.js`, `terms.js`); other languages are in files of their own, loaded when a page is in
 * them. A page can replace any text with `setTexts`.
 *
 * @typedef {Record<string, string>} Texts
 */
import { changed } from "./pure.js";

/** @type {Texts} */
export const EN = {
  title: "Confirm that it is you",
  lead: "{site} asks you, {who}, to confirm this:",
  loading: "One moment…",
  ready: "Choose how to confirm: {action}",
  action: "Action",
  description: "What it does",
  risk: "Risk",
  "risk.low": "Low",
  "risk.medium": "Medium",
  "risk.high": "High",
  "risk.critical": "Critical",
  ways: "Ways to confirm",
  passkey: "Passkey",
  "passkey.hint": "Uses your fingerprint, face, screen lock or security key.",
  "passkey.go": "Use your passkey",
  "passkey.busy": "Waiting for your device…",
  totp: "Authenticator app",
  "totp.hint": "Uses the code that your app shows now.",
  "totp.label": "Code from the app",
  password: "Password",
  "password.hint": "Uses the password that you sign in with.",
  "password.label": "Your password",
  show: "Show password",
  email_code: "Code by mail",
  recovery_code: "Recovery code",
  "recovery_code.hint": "Uses up one of the codes that you keep for emergencies.",
  "recovery_code.label": "One of your recovery codes",
  approval: "Approval",
  "other.label": "Your answer",
  go: "Confirm",
  busy: "Checking…",
  again: "Start again",
  cancel: "Cancel",
  close: "Close",
  help: "None of these? Get help",
  remember: "Remember this device",
  "remember.hint": "You are asked less often on it. Not for a computer that others use.",
  left: "Time left: {time}",
  "left.say": "{seconds} seconds left. You can take more time.",
  more: "More time",
  "more.done": "You have more time.",
  proof: "Fresh proof",
  "proof.missing": "Missing",
  "proof.ready": "Ready",
  result: "Result",
  "result.waiting": "Waiting",
  "result.confirmed": "Confirmed",
  next: "{method}: done. One more proof is needed.",
  done: "Confirmed.",
  "tries.one": "{n} try is left.",
  "tries.other": "{n} tries are left.",
  "to.no_usable_method": "Set up a way to confirm",
  "to.login_required": "Sign in again",
  "is.empty": "Fill in this field.",
  "is.letters": "The code has digits only. Check it.",
  "is.few": "The code has too few digits. Check it.",
  "is.many": "The code has too many digits. Check it.",
  "is.wrong": "That was not right. Check it, and try again.",
  "is.passkey": "Your passkey was not used. Try again, or choose another way.",
  "is.offline": "The server cannot be reached. What you typed is still here. Try again when you are online.",
  "is.locked_out": "Too many tries. You can try again at {at}.",
  "is.rate_limited": "That was too often. You can try again at {at}.",
  "is.later": "Too many tries. Choose another way, or ask for help.",
  "is.method_not_allowed": "This way does not count here. Choose another one.",
  "is.delivery_failed": "The code could not be sent. Try again, or choose another way.",
  "is.store_unavailable": "This is not possible at the moment. Try again in a minute.",
  "is.challenge_expired": "The time is over. Nothing was done.",
  "is.challenge_closed": "This request is closed. Nothing was done.",
  "is.failed": "Too many answers were wrong. Nothing was done.",
  "is.superseded": "You are asked for the same in another tab or window. Go on there, or start again here.",
  "is.no_usable_method": "You have not set up a way to confirm this yet.",
  "is.login_required": "For this you have to sign in again.",
  "is.action_blocked": "This is not possible now, and confirming does not change that.",
  "is.approval_denied": "Somebody has refused this.",
};

/** @type {Record<string, () => Promise<{default: Texts}>>} */
export const OTHERS = {
  ar: () => import("./texts-ar.js"),
  de: () => import("./texts-de.js"),
  es: () => import("./texts-es.js"),
  fr: () => import("./texts-fr.js"),
  ja: () => import("./texts-ja.js"),
  pt: () => import("./texts-pt.js"),
};

/**
 * The best of `known` languages for the tags a page and its reader give, in their order.
 * @param {readonly (string | null | undefined)[]} wanted
 * @param {readonly string[]} known
 */
export function pickLanguage(wanted, known) {
  const bases = wanted.map((tag) => (tag ?? "").toLowerCase().split("-")[0] ?? "");
  return bases.find((base) => known.includes(base)) ?? "en";
}

/**
 * `text` with its `{names}` filled in.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** What is said, in one language. */
export class Words {
  #texts;

  /**
   * @param {string} lang
   * @param {Texts} texts
   */
  constructor(lang, texts) {
    this.lang = lang;
    this.dir = ["ar", "fa", "he", "ur"].includes(lang) ? "rtl" : "ltr";
    this.#texts = texts;
  }

  /**
   * More texts in English, for what is not said otherwise.
   * @param {Texts} texts
   */
  also(texts) {
    this.#texts = { ...texts, ...this.#texts };
  }

  /**
   * A text; empty if there is none of that name.
   * @param {string} name
   * @param {Record<string, string | number>} [values]
   */
  say(name, values = {}) {
    return fill(this.#texts[name] ?? "", values);
  }

  /**
   * The form of a text that goes with a number.
   * @param {string} name
   * @param {number} n
   */
  count(name, n) {
    const form = new Intl.PluralRules(this.lang).select(n);
    return this.say(`${name}.${form}`, { n }) || this.say(`${name}.other`, { n });
  }
}

/**
 * The words for the first of `wanted` languages that there is.
 * @param {(string | null | undefined)[]} wanted
 */
export async function words(wanted) {
  const known = ["en", ...Object.keys(OTHERS), ...Object.keys(changed)].filter(Boolean);
  const lang = pickLanguage(wanted, known);
  const own = await OTHERS[lang]?.().catch(() => null);
  return new Words(lang, { ...EN, ...own?.default, ...changed[""], ...changed[lang] });
}
