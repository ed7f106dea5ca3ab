/**
 * The account's calls. What a person does goes by the client's own `fetch`: what is guarded asks in the dialog and is
 * made once more. And word of changes: to the page as `stepup:changed`, to the other tabs, and from both.
 *
 * @typedef {import("./account-types.js").Change} Change
 */
import { ROOT } from "./api.js";
import { StepUpError } from "./pure.js";
import { fetch } from "./stepup.js";

const EXACT = 2000;
const SLOW = 5000;

/** The server's clock minus the computer's, in milliseconds, as the last answer had it. */
let ahead = 0;
let told = false;

/** The time by the server's clock, in milliseconds since 1970. */
export const now = () => Date.now() + ahead;

/**
 * Read something, without asking anybody: what is read by itself must not open a dialog by itself.
 * @param {string} path
 */
export const read = (path) => made(globalThis.fetch, "GET", path);

/**
 * Do something that a person has asked for.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 */
export const request = (method, path, body) => made(fetch, method, path, body);

/**
 * @param {typeof fetch} by
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
async function made(by, method, path, body) {
  const asked = performance.now();
  let response, text;
  try {
    response = await by(new URL(path, ROOT), {
      method,
      cache: "no-store",
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (error) {
    throw error instanceof StepUpError ? error : new StepUpError("offline");
  }
  const answer = parsed(text);
  told ||= "now" in answer;
  const time = Date.parse(answer.now ?? (told ? "" : response.headers.get("date") ?? ""));
  // Times are whole seconds, so a small difference is none; and an answer that took long says little of the time.
  if (time && performance.now() - asked < SLOW) ahead = Math.abs(time - Date.now()) < EXACT ? 0 : time - Date.now();
  if (response.ok) return answer;
  const code = typeof answer.code === "string" ? answer.code : "store_unavailable";
  throw new StepUpError(response.status === 404 && code === "bad_request" ? "not_found" : code, answer);
}

/**
 * @param {string} text
 * @returns {any}
 */
function parsed(text) {
  try {
    return Object(JSON.parse(text || "{}"));
  } catch {
    return {};
  }
}

/** @type {Promise<Map<string, string>> | undefined} */
let labels;

/** What the application's actions are called, by their ids; asked for once. */
export function actionLabels() {
  labels ??= read("actions")
    .then(({ actions }) => new Map(actions.map((/** @type {any} */ one) => [one.id, one.label])))
    .catch(() => {
      labels = undefined;
      return new Map();
    });
  return labels;
}

/** One of our own: a channel does not hear itself, so this one hears the page's client as well as other tabs. */
const others = typeof BroadcastChannel === "function" ? new BroadcastChannel("stepup") : null;

/**
 * Tell the page, and the other tabs, of a change that was made.
 * @param {HTMLElement} element
 * @param {Change} change
 */
export function tell(element, change) {
  element.dispatchEvent(new CustomEvent("stepup:changed", { bubbles: true, composed: true, detail: change }));
  others?.postMessage({ what: "changed" });
}

/**
 * Hear of proofs and changes, here and in other tabs, until `signal` is aborted.
 * @param {() => void} heard
 * @param {AbortSignal} signal
 */
export function listen(heard, signal) {
  document.addEventListener("stepup:changed", heard, { signal });
  const told = (/** @type {MessageEvent} */ { data }) => ["verified", "changed"].includes(data?.what) && heard();
  others?.addEventListener("message", told, { signal });
}
