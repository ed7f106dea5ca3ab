/**
 * The panel of recovery codes: made, shown this once, copied or kept as a file, and gone.
 *
 * @typedef {import("./factors.js").StepUpFactors} Host
 */
import { now } from "./account-api.js";
import { fileName, kept } from "./account-pure.js";
import { h } from "./dom.js";
import { copying, panel, primary, wayOut } from "./enrol.js";

/** @param {Host} host @param {AbortSignal} signal */
export function recoveryCodes(host, signal) {
  const held = host.factors.some((one) => one.method === "recovery_code");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    error.replaceChildren();
    /** @type {string[] | null} */
    let codes = null;
    const make = async () => (codes = (await host.request("POST", "factors/recovery_code", {})).codes);
    await host.change(button, make, (text) => (error.textContent = text));
    if (!codes) return;
    host.tell(held ? "replaced" : "added", "recovery_code");
    if (!signal.aborted) once(host, codes);
  };
  const button = primary(host.text("codes.make"));
  const { room, heading, error } = panel(
    host, host.text(held ? "factors.replace" : "factors.add.recovery_code"),
    h("p", {}, host.text("codes.about")),
    h("form", { part: "form", submit }, h("div", { class: "buttons" }, button, wayOut(host))),
  ); // prettier-ignore
  host.show(room, heading);
}

/** The codes, this once. @param {Host} host @param {string[]} codes */
function once(host, codes) {
  const list = h("ol", { class: "codes", part: "codes", role: "list", dir: "ltr" }, ...codes.map((one) => h("li", {}, h("code", {}, one))));
  const done = h("button", { type: "button", class: "go", part: "primary", click: () => over() }, host.text("codes.done"));
  const download = h("button", { type: "button", part: "button download", click: () => save(host, codes) }, host.text("codes.download"));
  const { room, heading } = panel(
    host, host.text("factors.codes"),
    h("p", {}, host.text("codes.keep")),
    list,
    h("div", { class: "buttons" }, copying(host, host.text("codes.copy"), codes.join("\n"), list), download),
    h("div", { class: "buttons" }, done),
  ); // prettier-ignore
  const over = () => {
    host.close();
    host.say(host.text("codes.gone"));
  };
  host.show(room, heading);
}

/** @param {Host} host @param {string[]} codes */
function save(host, codes) {
  const when = new Intl.DateTimeFormat(host.tag, { dateStyle: "long" }).format(now());
  const text = kept(host.text("codes.file", { site: location.host, when }), codes, host.text("codes.file.note"));
  const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href, download: fileName(location.host) }).click();
  setTimeout(() => URL.revokeObjectURL(href)); // once it is on its way
}
