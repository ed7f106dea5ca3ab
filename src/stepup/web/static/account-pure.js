/**
 * What the account's elements compute without a browser: times in words, what a browser is called, how a history grows,
 * which row is next, codes as a text. No DOM, no network; tested by `node --test`.
 *
 * @typedef {import("./account-types.js").SecurityEvent} SecurityEvent
 */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/**
 * A time as it is said beside another one: within a week by how far it is, else by its date. `title` has all of it.
 * @param {number} at milliseconds since 1970
 * @param {number} now the same, by the server's clock
 * @param {string} lang
 * @param {string} [zone] the reader's own where it is left out
 */
export function moment(at, now, lang, zone) {
  const title = new Intl.DateTimeFormat(lang, { dateStyle: "full", timeStyle: "short", timeZone: zone }).format(at);
  const far = Math.abs(at - now);
  if (far >= WEEK) return { text: new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeZone: zone }).format(at), title };
  const said = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
  if (far < MINUTE) return { text: said.format(0, "second"), title };
  /** @type {[number, Intl.RelativeTimeFormatUnit]} */
  const [size, unit] = far < HOUR ? [MINUTE, "minute"] : far < DAY ? [HOUR, "hour"] : [DAY, "day"];
  const many = (at - now) / size; // what was is told by what has passed of it, what is to come as it is nearest
  return { text: said.format(many < 0 ? Math.ceil(many) : Math.round(many), unit), title };
}

/**
 * The tag to write times by: what is said is in `lang`, and its region is the page's, else the reader's.
 * @param {string} lang
 * @param {readonly (string | null | undefined)[]} tags
 */
export function regional(lang, tags) {
  return tags.find((tag) => tag?.toLowerCase().startsWith(`${lang}-`)) ?? lang;
}

/** The first that fits: most browsers say that they are others, too. @type {[RegExp, string][]} */
const BROWSERS = [
  [/\bEdg(A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/\b(Headless)?Chrome\/|\bCriOS\//, "Chrome"],
  [/\bVersion\/.*\bSafari\//, "Safari"],
];
/** @type {[RegExp, string][]} */
const SYSTEMS = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
];

/**
 * A browser and its system, as people call them; empty where they are not known.
 * @param {string | null} userAgent
 */
export function browserOf(userAgent) {
  const named = (/** @type {[RegExp, string][]} */ known) => known.find(([sign]) => sign.test(userAgent ?? ""))?.[1] ?? "";
  return { browser: named(BROWSERS), system: named(SYSTEMS) };
}

/**
 * The names under which the catalogue may have what happened, best first.
 * @param {{type: string, result: string}} event
 */
export function eventNames({ type, result }) {
  return [`event.${type}.${result}`, `event.${type}`, "event.other"];
}

/** What a happening is pictured as, by what its type begins with. @type {[string, string][]} */
const PICTURES = [
  ["factor_", "factor"],
  ["session_", "session"],
  ["device_", "device"],
  ["code_", "email_code"],
  ["attempt", "ok"],
  ["authorization", "ok"],
  ["approval_given", "ok"],
];

/**
 * The picture that goes with what happened: that it was refused is the most important.
 * @param {{type: string, result: string, method: string | null}} event
 */
export function pictureOf({ type, result, method }) {
  if (result !== "ok") return result === "open" ? "open" : "refused";
  const found = PICTURES.find(([start]) => type.startsWith(start))?.[1] ?? "other";
  return found === "factor" ? (method ?? found) : found;
}

/**
 * A history with its newest page read again: what was read before stays, unless more has happened than a page holds.
 * @param {{events: SecurityEvent[], after: string | null}} known
 * @param {{events: SecurityEvent[], after: string | null}} newest
 */
export function grown(known, newest) {
  const ids = new Set(newest.events.map((one) => one.id));
  if (!known.events.some((one) => ids.has(one.id))) return newest;
  return { events: [...newest.events, ...known.events.filter((one) => !ids.has(one.id))], after: known.after };
}

/**
 * The row that takes the focus: the same one, else the next that is left, else the one before.
 * @param {readonly string[]} before the rows as they were
 * @param {string} id
 * @param {readonly string[]} left
 */
export function neighbour(before, id, left) {
  const at = before.indexOf(id);
  const near = [...before.slice(at), ...before.slice(0, Math.max(at, 0)).reverse()];
  return near.find((one) => left.includes(one));
}

/**
 * A secret in groups of four, as it is easier to type.
 * @param {string} secret
 */
export const grouped = (secret) => secret.match(/.{1,4}/g)?.join(" ") ?? "";

/**
 * Recovery codes as a text to keep, with lines that Windows can read too.
 * @param {string} title
 * @param {readonly string[]} codes
 * @param {string} note
 */
export const kept = (title, codes, note) => [title, "", ...codes, "", note, ""].join("\r\n");

/**
 * A name for a file, of what names a site.
 * @param {string} host
 */
export const fileName = (host) => `recovery-codes-${host.replace(/[^a-z0-9.-]+/gi, "-")}.txt`;

/**
 * A heading's level out of an attribute: 1 to 5, so that there is room for one below.
 * @param {string | null} written
 */
export function headingLevel(written) {
  const level = Number(written);
  return written !== null && Number.isInteger(level) && level >= 1 && level <= 5 ? level : 2;
}
