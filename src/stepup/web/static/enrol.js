/**
 * The panels in which a passkey and an authenticator app are added, and what every panel is made of: a heading, a place
 * for what goes wrong, a way out, a form for the name, a button that copies. `enrol-codes.js` has that of recovery codes.
 *
 * What a panel shows once (a secret, codes) stands in its elements and in nothing else; it goes with the panel.
 *
 * @typedef {import("./factors.js").StepUpFactors} Host
 * @typedef {import("./account-types.js").Factor} Factor
 */
import { qr } from "./account-dom.js";
import { browserOf, grouped } from "./account-pure.js";
import { h } from "./dom.js";
import { StepUpError, cleanCode, codeTrouble } from "./pure.js";
import { registration } from "./registration.js";

/**
 * A panel with a heading, a place for what goes wrong, and a way out.
 * @param {Host} host
 * @param {string} title
 * @param {...(Node | null | false)} inside
 */
export function panel(host, title, ...inside) {
  const heading = host.subheading(title, { id: "adding", tabindex: -1 });
  const error = h("div", { id: "adding-error", part: "error", role: "alert" });
  const room = h("div", { class: "panel", part: "panel", role: "group", "aria-labelledby": "adding" }, heading, error, ...inside);
  return { room, heading, error };
}

/** @param {Host} host */
export const wayOut = (host) => h("button", { type: "button", part: "button cancel", click: () => host.close() }, host.text("cancel"));

/** @param {string} text */
export const primary = (text) => h("button", { class: "go", part: "primary" }, text);

/**
 * A form that asks what the new thing shall be called, and goes on.
 * @param {Host} host
 * @param {string} method
 * @param {string} suggested
 * @param {(label: string, button: HTMLElement, wrong: (text: string) => void) => unknown} go
 */
function naming(host, method, suggested, go) {
  const hint = { id: "adding-hint", class: "soft", part: "hint" };
  const input = h("input", {
    id: "adding-name", part: "input", type: "text", maxlength: 64, autocomplete: "off", value: suggested, "aria-describedby": "adding-hint",
  }); // prettier-ignore
  const button = primary(host.text("factors.go"));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    error.replaceChildren();
    go(input.value.trim(), button, (text) => (error.textContent = text));
  };
  const { room, error } = panel(
    host, host.text(`factors.add.${method}`),
    h("p", {}, host.text(`${method}.about`)),
    h(
      "form", { part: "form", novalidate: true, submit },
      h("label", { for: "adding-name", part: "label" }, host.text("factors.name")),
      h("p", hint, host.text("factors.name.hint")),
      input,
      h("div", { class: "buttons" }, button, wayOut(host)),
    ),
  ); // prettier-ignore
  host.show(room, input);
  input.select();
}

/**
 * A button that copies a text; where that is not allowed, what it is is selected.
 * @param {Host} host
 * @param {string} name
 * @param {string} text
 * @param {HTMLElement} shown
 */
export function copying(host, name, text, shown) {
  const click = async () => {
    try {
      await navigator.clipboard.writeText(text);
      host.say(host.text("copied"));
    } catch {
      getSelection()?.selectAllChildren(shown);
      host.say(host.text("copied.not"));
    }
  };
  return h("button", { type: "button", part: "button copy", click }, name);
}

// -- passkey -------------------------------------------------------------------------------------

/** @param {Host} host @param {AbortSignal} signal */
export function passkey(host, signal) {
  const { browser, system } = browserOf(navigator.userAgent);
  /** @type {{id: string, label: string, options: unknown} | null} */
  let begun = null;
  naming(host, "passkey", browser && system ? host.text("events.place", { browser, system }) : "", async (label, button, wrong) => {
    /** @type {Factor | null} */
    let made = null;
    await host.change(
      button,
      async () => {
        if (begun?.label !== label) begun = { label, ...(await host.request("POST", "factors/passkey", { label })) };
        const { id, options } = /** @type {NonNullable<typeof begun>} */ (begun);
        signal.throwIfAborted();
        button.textContent = host.text("passkey.creating");
        const response = await created(options, signal);
        made = (await host.request("POST", `factors/passkey/${id}`, { response })).factor;
      },
      (text, error) => {
        const { code } = error instanceof StepUpError ? error : { code: "" };
        if (!["passkey.not", "passkey.there", "offline"].includes(code)) begun = null;
        wrong(host.text(code) || text);
      },
    );
    button.textContent = host.text(begun ? "passkey.create" : "factors.go");
    if (made) host.added(made);
  });
}

/** What the browser says to `create()`. @param {unknown} options @param {AbortSignal} signal */
async function created(options, signal) {
  try {
    return await registration(options, signal);
  } catch (error) {
    const there = error instanceof DOMException && error.name === "InvalidStateError";
    throw new StepUpError(there ? "passkey.there" : "passkey.not");
  }
}

// -- authenticator app -----------------------------------------------------------------------------

/** @param {Host} host @param {AbortSignal} signal */
export function totp(host, signal) {
  naming(host, "totp", "", (label, button, wrong) =>
    host.change(
      button,
      async () => {
        const made = await host.request("POST", "factors/totp", { label });
        if (!signal.aborted) secret(host, signal, made);
      },
      wrong,
    ),
  );
}

/**
 * The secret, and the field for its first code.
 * @param {Host} host
 * @param {AbortSignal} signal
 * @param {{id: string, secret: string, qr: {size: number, path: string} | null}} made
 */
function secret(host, signal, made) {
  const input = h("input", {
    id: "adding-code", part: "input", type: "text", inputmode: "numeric", autocomplete: "one-time-code", "aria-describedby": "adding-error",
  }); // prettier-ignore
  const wrong = (/** @type {string} */ text) => {
    error.textContent = text;
    input.setAttribute("aria-invalid", "true");
    input.focus();
    input.select();
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    error.replaceChildren();
    input.removeAttribute("aria-invalid");
    const code = cleanCode(input.value);
    const trouble = codeTrouble(code);
    if (trouble) return wrong(host.text(`is.${trouble}`));
    /** @type {Factor | null} */
    let factor = null;
    const confirm = async () => (factor = (await host.request("POST", `factors/totp/${made.id}`, { code })).factor);
    await host.change(button, confirm, (text, error) => {
      const { code, problem } = error instanceof StepUpError ? error : { code: "", problem: null };
      const left = problem?.attemptsLeft;
      const over = code === "challenge_not_found" || left === 0;
      if (over) begin(host, signal, left === 0 ? host.text("is.failed") : text);
      else if (code !== "verification_failed") wrong(text);
      else wrong(`${host.text("is.wrong")} ${left === undefined ? "" : host.words.count("tries", left)}`.trim());
    });
    if (factor) host.added(factor);
  };
  const button = primary(host.text("totp.confirm"));
  const shown = h("code", { class: "secret", part: "secret", dir: "ltr" }, grouped(made.secret));
  const { room, heading, error } = panel(
    host, host.text("factors.add.totp"),
    h("p", {}, host.text(made.qr ? "totp.scan" : "totp.about")),
    made.qr && qr(made.qr, host.text("totp.qr")),
    h("p", {}, host.text("totp.type")),
    h("div", { class: "buttons" }, shown, copying(host, host.text("totp.copy"), made.secret, shown)),
    h(
      "form", { part: "form", novalidate: true, submit },
      h("label", { for: "adding-code", part: "label" }, host.text("totp.label")),
      input,
      h("div", { class: "buttons" }, button, wayOut(host)),
    ),
  ); // prettier-ignore
  host.show(room, heading);
}

/** From the beginning, and why. @param {Host} host @param {AbortSignal} signal @param {string} why */
function begin(host, signal, why) {
  totp(host, signal);
  const alert = host.room.querySelector("[role=alert]");
  if (alert) alert.textContent = why;
}
