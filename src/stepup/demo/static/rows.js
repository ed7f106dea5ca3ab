/**
 * Rows of the account page: copies of the templates that it keeps for them, filled with what the protocol says. The
 * words are the server's: it wrote them into the page.
 */
import { part, tell } from "./page.js";

const WORDS = JSON.parse(part("#events").dataset["words"] ?? "{}");
const METHODS = JSON.parse(part("#events").dataset["methods"] ?? "{}");
const OWN = JSON.parse(part("#events").dataset["own"] ?? "{}");

/** @param {string | null} method */
export const name = (method) => METHODS[method ?? ""] ?? method ?? "";

/** What stepup calls an action of its own. @param {string} action @returns {string} */
export const own = (action) => OWN[action] ?? action;

/**
 * A copy of a row that the page keeps for it.
 * @param {string} id
 */
export function row(id) {
  const kept = /** @type {HTMLTemplateElement} */ (part(id));
  return /** @type {HTMLElement} */ (/** @type {Element} */ (kept.content.firstElementChild).cloneNode(true));
}

/** @param {HTMLElement} within @param {string} which @param {string} text */
export const write = (within, which, text) => (part(`[data-live=${which}]`, within).textContent = text);

/**
 * Show what has happened.
 * @param {any[]} events
 * @param {number} ahead the server's clock minus this computer's, in milliseconds
 * @param {(action: string) => string} label
 */
export function showEvents(events, ahead, label) {
  const rows = events.map((event) => {
    const made = row("#event-row");
    made.dataset["result"] = event.result;
    write(made, "label", WORDS[`${event.type}.${event.result}`] ?? WORDS[event.type] ?? event.type);
    const about = [event.action && label(event.action), name(event.method), event.resourceType === "member" && event.resourceId];
    write(made, "detail", about.filter(Boolean).join(" · "));
    const time = /** @type {HTMLTimeElement} */ (part("time", made));
    time.dateTime = event.at;
    tell(time, Date.now() + ahead);
    return made;
  });
  part("#events").replaceChildren(...rows);
  part("#no-events").hidden = rows.length > 0;
}
