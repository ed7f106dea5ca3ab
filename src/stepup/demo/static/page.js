/**
 * What every page does: times as the reader has them, a message that is said once, copying, and keys that are told
 * once. Without it, all of that works by itself, only plainer.
 */
import { StepUpCancelledError, fetch } from "/stepup/static/stepup.js";

/** @param {number} seconds in the past; what is to come has passed by less than nothing */
export function ago(seconds) {
  const rough = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const [far, way] = [Math.abs(seconds), seconds < 0 ? 1 : -1];
  if (far < 45) return way > 0 ? "in a moment" : "just now";
  if (far < 3600) return rough.format(way * Math.max(1, Math.round(far / 60)), "minute");
  if (far < 86400) return rough.format(way * Math.round(far / 3600), "hour");
  return rough.format(way * Math.round(far / 86400), "day");
}

/**
 * Put a time into the reader's words; the exact one is in its title.
 * @param {HTMLTimeElement} time
 * @param {number} [now]
 */
export function tell(time, now = Date.now()) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.valueOf())) return;
  time.title = at.toLocaleString();
  time.textContent = ago((now - at.valueOf()) / 1000);
}

/** @param {string} text @param {boolean} [good] */
export function say(text, good = true) {
  const message = document.querySelector(".message");
  if (!(message instanceof HTMLElement)) return;
  message.dataset["good"] = good ? "yes" : "no";
  message.hidden = false;
  message.dataset["said"] = "";
  const line = document.createElement("p");
  line.textContent = text;
  const close = document.createElement("button");
  Object.assign(close, { type: "button", className: "icon-button", textContent: "✕", ariaLabel: "Dismiss" });
  close.addEventListener("click", () => (message.hidden = true));
  message.replaceChildren(line, close);
}

/** @param {string} where @param {ParentNode} [within] @returns {HTMLElement} */
export function part(where, within = document) {
  const found = within.querySelector(where);
  if (!(found instanceof HTMLElement)) throw new Error(`The page has no ${where}.`);
  return found;
}

/**
 * Show secrets until the dialog is closed.
 * @param {{id: string, key: string, secret: string}[]} made
 */
function reveal(made) {
  const dialog = /** @type {HTMLDialogElement} */ (part("#reveal"));
  const list = part("[data-live=secrets]", dialog);
  const kept = /** @type {HTMLTemplateElement} */ (part("#secret-row", dialog));
  for (const { id, key, secret } of made) {
    const row = /** @type {HTMLElement} */ (/** @type {Element} */ (kept.content.firstElementChild).cloneNode(true));
    part("[data-live=key]", row).textContent = key;
    part("[data-live=secret]", row).textContent = secret;
    list.append(row);
    const ends = document.querySelector(`[data-key="${CSS.escape(id)}"] [data-live=ends]`);
    if (ends) ends.textContent = secret.slice(-4);
  }
  part("[data-live=what]", dialog).textContent = made.length === 1 ? "secret" : "secrets";
  dialog.addEventListener("close", () => list.replaceChildren(), { once: true });
  dialog.showModal();
  part("h2", dialog).focus();
}

/**
 * Rotate a key or several, and show the new secret: it is in this answer and nowhere else, not even in the history.
 * @param {HTMLFormElement} form
 */
async function rotate(form) {
  form.ariaBusy = "true";
  try {
    const body = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    const response = await fetch(form.action, { method: "POST", headers: { accept: "application/json" }, body });
    const told = await response.json();
    if (!response.ok) return say(told.message ?? told.title ?? "That did not work. Nothing was changed.", false);
    reveal(told.secrets ?? [told]);
    say(told.message);
    document.dispatchEvent(new CustomEvent("northstar:changed"));
  } catch (error) {
    if (!(error instanceof StepUpCancelledError)) throw error;
  } finally {
    form.ariaBusy = null;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !("reveal" in form.dataset)) return;
  event.preventDefault();
  if (form.ariaBusy !== "true") void rotate(form);
});

/** An answer of a form that leads nowhere: what was wrong with it. */
document.addEventListener("stepup:answer", async (event) => {
  const { response } = /** @type {CustomEvent<{response: Response}>} */ (event).detail;
  const told = await response.json().catch(() => ({}));
  say(told.message ?? told.title ?? "That did not work. Nothing was changed.", false);
});

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!(button instanceof HTMLElement)) return;
  const texts = [...document.querySelectorAll(button.dataset["copy"] ?? "")].map((one) => one.textContent);
  await navigator.clipboard.writeText(texts.join("\n"));
  part("span", button).textContent = "Copied";
});

for (const time of document.querySelectorAll("time")) tell(time);
// What was said is said once: a page that is loaded again says nothing of it.
if (new URLSearchParams(location.search).has("did")) history.replaceState(null, "", location.pathname);
