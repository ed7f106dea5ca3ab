/**
 * What the account's elements draw besides elements of HTML: pictures, times, and the QR code of an authenticator.
 */
import { moment } from "./account-pure.js";
import { h } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** Strokes on a square of 24. @type {Record<string, string>} */
const ICONS = {
  passkey: "M12 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM12 12h9v3.5M17 12v3",
  totp: "M7 2h10v20H7zM10 18.5h4M12 7v3l2 1",
  recovery_code: "M5 3h14v18H5zM8.5 8h7M8.5 12h7M8.5 16h4",
  password: "M3 8h18v8H3zM7.5 12h.01M12 12h.01M16.5 12h.01",
  email_code: "M3 5h18v14H3zM3.5 6l8.5 7 8.5-7",
  device: "M5 5h14v10H5zM2 19h20",
  ok: "M4.5 12.5l5 5 10-11",
  refused: "M6 6l12 12M18 6L6 18",
  open: "M12 6v6l4 2M12 3a9 9 0 1 0 .01 0",
  factor: "M12 5v14M5 12h14",
  session: "M20 11a8 8 0 1 0-2.3 6M20 5v6h-6",
  other: "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6z",
};

/**
 * @param {string} name
 * @param {Record<string, string | number>} props
 * @param {...Element} children
 */
function svg(name, props, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(props)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

/**
 * A picture that says nothing that the words beside it do not.
 * @param {string} name
 */
export function icon(name) {
  const path = svg("path", { d: ICONS[name] ?? ICONS.other ?? "" });
  return svg("svg", { class: "icon", part: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", "data-icon": name }, path);
}

/**
 * The QR code, dark on white whatever the page looks like: cameras want it so.
 * @param {{size: number, path: string}} code
 * @param {string} title
 */
export function qr({ size, path }, title) {
  const [box, edge] = [size + 8, -4]; // four modules of quiet around it
  const name = svg("title", { id: "qr" });
  name.textContent = title;
  const props = { class: "qr", part: "qr", role: "img", "aria-labelledby": "qr", viewBox: `${edge} ${edge} ${box} ${box}` };
  const white = svg("rect", { x: edge, y: edge, width: box, height: box, fill: "#fff" });
  return svg("svg", props, name, white, svg("path", { d: path, fill: "#000", "shape-rendering": "crispEdges" }));
}

/**
 * A time, said as far as it is from `now`.
 * @param {string} at
 * @param {number} now
 * @param {string} lang
 */
export function time(at, now, lang) {
  const made = h("time", { datetime: at });
  retell(made, now, lang);
  return made;
}

/**
 * Say a time again: meanwhile it is further away.
 * @param {HTMLTimeElement} made
 * @param {number} now
 * @param {string} lang
 */
export function retell(made, now, lang) {
  const { text, title } = moment(Date.parse(made.dateTime), now, lang);
  if (made.textContent !== text) made.textContent = text;
  made.title = title;
}
