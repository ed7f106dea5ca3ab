/**
 * The risk of the session, in words: its level, what speaks for it, and what it changes. The words are the server's: it
 * wrote them into the page.
 */
import { part } from "./page.js";
import { row, write } from "./rows.js";

const panel = part("#risk");
/** @type {Record<string, [string, string]>} name and text, by code; under "" for what is not known */
const WORDS = JSON.parse(panel.dataset["words"] ?? "{}");
/** @type {Record<string, string>} */
const LEVELS = JSON.parse(panel.dataset["levels"] ?? "{}");

/** @param {{riskLevel: string | null, riskReasons: string[]}} session */
export function showRisk({ riskLevel, riskReasons }) {
  const level = riskLevel ?? "unknown";
  part("[data-live=level]", panel).dataset["risk"] = level;
  write(panel, "level", `${level[0]?.toUpperCase()}${level.slice(1)}`);
  write(panel, "effect", LEVELS[level] ?? LEVELS["high"] ?? "");
  const rows = riskReasons.map((code) => {
    const made = row("#reason-row");
    const [name, text] = WORDS[code] ?? WORDS[""] ?? ["", ""];
    write(made, "name", name);
    write(made, "text", text);
    return made;
  });
  part("#reasons", panel).replaceChildren(...rows);
  part("[data-live=calm]", panel).hidden = rows.length > 0;
}
