/**
 * The account page, kept up to date from the protocol: what is unlocked, how the session stands, what has happened, and
 * the challenge while the dialog is open. It asks for proof with `stepup.prove`, and keeps no token: what is unlocked
 * here the server finds by the session.
 *
 * @typedef {{id: string, status: string, action: string, method: string | null}} Seen
 */
import { prove } from "/stepup/static/stepup.js";
import { part, say } from "./page.js";
import { showRisk } from "./risk.js";
import { name, own, row, showEvents, write } from "./rows.js";

const STATUS = new Map([["blocked", "Blocked"], ["needs_proof", "Needs proof"], ["unlocked", "Unlocked"]]); // prettier-ignore
const POLL = 700;
const PATIENCE = 900;
/** @type {Map<string, any>} the registry, by action */
const registry = new Map();
/** @type {any[]} */
let grants = [];
/** The server's clock minus this computer's, in milliseconds. */
let ahead = 0;
/** The action that the current challenge is, or would be, for. */
let chosen = part("[data-action]").dataset["action"] ?? "";
/** @type {any} the challenge document, as the server said it last */
let shown = null;
/** @type {Seen | null} */
let seen = null;
/** The challenge that was the newest when this one was asked for. */
let before = "";
let watching = 0;
let gone = false;

/** @param {string} path */
async function ask(path) {
  const response = await fetch(path, { headers: { accept: "application/json" }, cache: "no-store" });
  return response.ok ? response.json() : null;
}

/** Ask for everything, and show it. */
async function refresh() {
  const paths = ["actions", "session", "grants", "events?limit=8"];
  const [actions, session, held, events] = await Promise.all(paths.map((one) => ask(`/stepup/${one}`)));
  if (!actions || !session || !held || !events) return; // signed out, or away: what is shown stays
  ahead = Date.parse(held.now) - Date.now();
  for (const one of actions.actions) registry.set(one.id, one);
  grants = held.grants;
  document.querySelectorAll("[data-action]").forEach((card) => showCard(/** @type {HTMLElement} */ (card)));
  showSession(session);
  showRisk(session);
  showGrants();
  showEvents(events.events, ahead, label);
  showCurrent();
  tick();
}

/** @param {HTMLElement} card */
function showCard(card) {
  const action = registry.get(card.dataset["action"] ?? "");
  if (!action) return;
  part("[data-live=status]", card).dataset["status"] = action.status;
  part("[data-live=word]", card).textContent = STATUS.get(action.status) ?? action.status;
  const verify = card.querySelector("[data-verify]");
  if (verify) verify.textContent = action.status === "unlocked" ? "Reverify" : "Verify";
  const until = part("[data-live=until]", card);
  const own = grants.filter((one) => one.action === action.id).map((one) => one.expiresAt).sort().at(-1); // prettier-ignore
  until.hidden = !own;
  until.dataset["until"] = own ?? "";
}

/** @param {any} session */
function showSession({ ageSeconds, proofs, device }) {
  const minutes = Math.floor((ageSeconds ?? 0) / 60);
  const age = minutes < 1 ? "less than a minute" : minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
  const trust = part("#trust");
  part("[data-live=trust]", trust).dataset["trust"] = ageSeconds !== null && ageSeconds < 1800 ? "fresh" : "old";
  part("[data-live=age]", trust).textContent = ageSeconds === null ? "no sign-in known" : `signed in ${age} ago`;
  const names = proofs.map((/** @type {any} */ one) => name(one.method).toLowerCase());
  part("[data-live=proofs]", trust).textContent = [...new Set(names)].join(", ") || "nothing yet";
  const label = device?.label || "This browser";
  part("[data-live=device]", trust).textContent = `${label}, ${device?.trusted ? "remembered" : "not remembered"}`;
}

/** @param {string} action */
const label = (action) => registry.get(action)?.label ?? own(action);

function showGrants() {
  const held = document.activeElement?.closest("[data-grant]");
  const rows = grants.map((grant) => {
    const made = row("#grant-row");
    made.dataset["grant"] = grant.id;
    write(made, "label", label(grant.action));
    write(made, "which", `: ${label(grant.action)}`);
    part("[data-live=until]", made).dataset["until"] = grant.expiresAt;
    part("form", made).setAttribute("action", `/account/grants/${grant.id}/lock`);
    return made;
  });
  part("#grants").replaceChildren(...rows);
  part("#no-grants").hidden = grants.length > 0;
  if (held instanceof HTMLElement) part("#grants").querySelector("button")?.focus();
}

/** The panel of the current challenge, and the preview of the request. */
function showCurrent() {
  const action = registry.get(chosen);
  const card = document.querySelector(`[data-action="${CSS.escape(chosen)}"]`);
  const grant = grants.find((one) => one.action === chosen);
  const own = seen?.action === chosen ? seen : null;
  const open = own?.status === "open";
  const method = open ? own.method : (grant?.methods[0] ?? own?.method ?? null);
  const current = part("#current");
  const preview = part("#preview");
  write(current, "action", label(chosen));
  write(current, "method", method ? name(method) : "Not chosen yet");
  write(current, "proof", grant ? "Ready" : "Missing");
  part("[data-live=proof]", current).dataset["proof"] = grant ? "ready" : "missing";
  write(preview, "action", label(chosen));
  write(preview, "about", action?.description ?? card?.querySelector("[data-live=about]")?.textContent ?? "");
  const risk = open && shown ? shown.action.riskLevel : (action?.riskLevel ?? "high");
  part("[data-live=risk]", preview).dataset["risk"] = risk;
  write(preview, "risk", `${risk[0].toUpperCase()}${risk.slice(1)} risk`);
  const select = /** @type {HTMLSelectElement} */ (part("#current-action"));
  if ([...select.options].some((one) => one.value === chosen)) select.value = chosen;
  const ends = open && shown ? shown.expiresAt : grant?.expiresAt;
  const request = {
    actionId: chosen,
    method,
    rememberDevice: /** @type {HTMLInputElement} */ (part("#remember")).checked,
    verified: Boolean(grant) && !open,
    expiresIn: ends ? Math.max(0, Math.round((Date.parse(ends) - Date.now() - ahead) / 1000)) : null,
  };
  part("#request").textContent = JSON.stringify(request, null, 2);
  if (shown) part("#document").textContent = JSON.stringify({ ...shown, status: own?.status ?? shown.status }, null, 2);
  part("[data-live=live]").hidden = !open;
}

/** Follow the newest challenge until it is closed. Once the dialog has gone, not for long. */
async function follow() {
  const turn = (watching += 1);
  gone = false;
  for (let left = PATIENCE; left && turn === watching; left -= 1) {
    await new Promise((on) => setTimeout(on, left === PATIENCE ? 150 : POLL));
    if (await look()) break;
    if (gone) left = Math.min(left, 8);
  }
  if (turn === watching) await refresh();
}

/** Look at the newest challenge: which it is, this application knows; what it is, the protocol. Whether it is over. */
async function look() {
  const found = (await ask("/account/challenge").catch(() => null))?.challenge;
  if (!found || found.id === before) return false;
  chosen = found.action;
  if (found.status === "open") {
    const told = await ask(`/stepup/challenges/${found.id}`).catch(() => null);
    if (told) [shown, found.status] = [told.challenge, told.challenge.status];
  }
  seen = found;
  showCurrent();
  return found.status !== "open";
}

document.addEventListener("stepup:required", () => {
  before = seen?.id ?? before;
  void customElements.whenDefined("stepup-dialog").then(() => setTimeout(wish)); // it is loaded when it is first needed
  void follow();
});

/** Tick the box of the dialog as it was wished for here, with each way to prove; the person may undo it there. */
function wish() {
  const dialog = document.querySelector("stepup-dialog");
  if (!dialog?.shadowRoot || dialog === wished) return;
  wished = dialog;
  new MutationObserver(() => {
    const box = dialog.shadowRoot?.querySelector("[part~=remember] input");
    if (!(box instanceof HTMLInputElement) || "wished" in box.dataset) return;
    box.dataset["wished"] = "";
    box.checked = /** @type {HTMLInputElement} */ (part("#remember")).checked;
  }).observe(dialog.shadowRoot, { childList: true, subtree: true });
}

/** @type {Element | null} the dialog that is told of the wish */
let wished = null;

/** Ask for the proof of a card's action. @param {string} action */
async function verify(action) {
  const card = part(`[data-action="${CSS.escape(action)}"]`);
  const { resourceType: type = "", resourceId: id = "" } = card.dataset;
  const again = grants.filter((one) => one.action === action);
  chosen = action;
  showCurrent();
  // To prove anew what is unlocked, it is locked first: a proof that is still good is not asked for.
  for (const one of again) await lock(one.id);
  const { error } = await prove(action, { resource: { type, id } });
  gone = true;
  if (!error) say(`Verified: ${label(action)}. It is unlocked for a few minutes.`);
  else if (error.code !== "cancelled") say(refusal(error.code), false);
  await refresh();
}

/** @param {string} code */
function refusal(code) {
  const words = new Map([
    ["action_blocked", "Blocked: this session looks too risky. Sign in again in this browser."],
    ["no_usable_method", "You have none of the methods that this action allows. Add one first."],
    ["locked_out", "Too many wrong answers. Try again later."],
  ]);
  return words.get(code) ?? "That did not work. Nothing was unlocked.";
}

/** @param {string} grant */
const lock = (grant) => fetch(`/stepup/grants/${grant}`, { method: "DELETE" });

function tick() {
  const now = Date.now() + ahead;
  let over = false;
  for (const one of document.querySelectorAll("[data-until]")) {
    const until = Date.parse(/** @type {HTMLElement} */ (one).dataset["until"] ?? "");
    if (Number.isNaN(until)) continue;
    const left = Math.max(0, Math.ceil((until - now) / 1000));
    one.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
    over ||= left === 0;
  }
  if (grants.length || watching) showCurrent();
  return over;
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-verify], [data-open]") : null;
  if (!(button instanceof HTMLElement) || button.ariaBusy === "true") return;
  const action = "verify" in button.dataset ? button.closest("[data-action]") : null;
  const which = action instanceof HTMLElement ? action.dataset["action"] : /** @type {HTMLSelectElement} */ (part("#current-action")).value;
  button.ariaBusy = "true";
  void verify(which ?? "").finally(() => (button.ariaBusy = null));
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  const held = form instanceof HTMLFormElement && "lock" in form.dataset ? form.closest("[data-grant]") : null;
  if (!(held instanceof HTMLElement)) return;
  event.preventDefault();
  void lock(held.dataset["grant"] ?? "").then(refresh).then(() => say("It is locked again."));
});
part("#current-action").addEventListener("change", (event) => {
  chosen = /** @type {HTMLSelectElement} */ (event.target).value;
  showCurrent();
});
part("#remember").addEventListener("change", showCurrent);
document.addEventListener("northstar:changed", () => void refresh());
document.addEventListener("visibilitychange", () => document.hidden || void refresh());
for (const one of document.querySelectorAll("[data-verify], [data-open], [data-script]")) /** @type {HTMLElement} */ (one).hidden = false;
setInterval(() => tick() && void refresh(), 1000);
void ask("/account/challenge").then((told) => (before = told?.challenge?.id ?? "")).then(refresh);
