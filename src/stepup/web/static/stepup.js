/**
 * The one module that a page loads: `<script type="module" src="/stepup/static/stepup.js"></script>`. `fetch`, `wrap`
 * and `prove`: a call that is blocked, the proof, the call once more. What it exports is the global `stepup` too, for
 * scripts that are no modules. The dialog is loaded when a call is blocked for the first time, and what sends a form
 * with `data-stepup` when one is sent.
 *
 * The token is sent in one header of one call of this site: a call to elsewhere is passed through untouched, and the
 * repeated one may not be redirected to elsewhere. Nothing is kept: not the token, not what was typed.
 *
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").Proved} Proved
 */
import { Queue, StepUpCancelledError, StepUpError, setTexts } from "./pure.js";
import { blocked, blockedIn, loaded, replayable, sameOrigin } from "./pure.js";

/** The protocol's calls. They come with the dialog, when a call is blocked for the first time. */
const api = () => loaded(import("./api.js"));
const queue = new Queue({ ask, refresh: async (...about) => (await api()).refresh(...about) });

/**
 * Ask whoever is there to ask: the page's own part, if it takes the event, else the dialog.
 * @param {Problem} problem
 * @param {string} key
 * @param {AbortSignal} signal
 * @param {import("./types.js").Again} again
 * @returns {Promise<Proved>}
 */
function ask(problem, key, signal, again) {
  return new Promise((resolve, reject) => {
    const detail = {
      problem,
      signal,
      complete: (/** @type {string | null} */ token, /** @type {number | null} */ uses = 1) => resolve({ token, uses }),
      cancel: () => reject(new StepUpCancelledError()),
    };
    signal.addEventListener("abort", () => reject(signal.reason));
    if (!document.dispatchEvent(new CustomEvent("stepup:required", { cancelable: true, detail }))) return;
    const shown = loaded(import("./dialog.js")).then(({ StepUpDialog }) => {
      signal.throwIfAborted();
      let dialog = document.querySelector("stepup-dialog");
      if (!(dialog instanceof StepUpDialog)) document.body.append((dialog = new StepUpDialog()));
      return /** @type {InstanceType<typeof StepUpDialog>} */ (dialog).ask(problem, key, signal, again);
    });
    shown.then(resolve, reject);
  });
}

/**
 * The headers that a proved call carries.
 * @param {string | null} token
 * @returns {Record<string, string>}
 */
function proof(token) {
  const random = crypto.getRandomValues(new Uint8Array(16));
  const key = Array.from(random, (one) => one.toString(16).padStart(2, "0")).join("");
  return { "Idempotency-Key": key, ...(token ? { "StepUp-Token": token } : {}) };
}

/**
 * The blocked call in a response of this site; null for every other response.
 * @param {Response} response
 */
async function blockedBy(response) {
  const told = response.headers.get("content-type")?.startsWith("application/problem+json");
  if (response.ok || !told || !sameOrigin(response.url, location.href)) return null;
  return blocked(await response.clone().json().catch(() => null)); // prettier-ignore
}

/**
 * `fetch`, with the proof that a call of this site needs.
 * @param {RequestInfo | URL} input
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function fetch(input, init) {
  const url = input instanceof Request ? input.url : String(input);
  if (!sameOrigin(url, document.baseURI, location.href)) return globalThis.fetch(input, init);
  if (!replayable(init?.body)) throw new TypeError("A stream can be sent once; give stepup.fetch a body to send twice.");
  const request = new Request(input, init);
  const spare = request.clone();
  const response = await globalThis.fetch(request);
  const problem = await blockedBy(response);
  if (!problem) return response;
  /** @type {Response | null} */
  let through = null;
  const token = await queue.prove(problem, spare.signal, async () => {
    const response = await globalThis.fetch(new Request(spare.clone(), { mode: "same-origin" }));
    const found = await blockedBy(response);
    if (!found) through = response;
    return found;
  });
  if (through) return through;
  const headers = new Headers(spare.headers);
  for (const [name, value] of Object.entries(proof(token))) {
    if (name === "StepUp-Token" || !headers.has(name)) headers.set(name, value);
  }
  return globalThis.fetch(new Request(spare, { headers, mode: "same-origin" }));
}

/**
 * A function that makes its call by other means: with no headers first and, after a proof, with those to send.
 * @template {unknown[]} A
 * @template R
 * @param {(headers: Record<string, string>, ...args: A) => R | Promise<R>} fn
 * @returns {(...args: A) => Promise<R>}
 */
export function wrap(fn) {
  return async (...args) => {
    const turn = (/** @type {Record<string, string>} */ headers) =>
      Promise.resolve()
        .then(() => fn(headers, ...args))
        .then((value) => ({ value }), (error) => ({ error })); // prettier-ignore
    let last = await turn({});
    const found = await blockedTurn(last);
    if (found) {
      let through = false;
      const token = await queue.prove(found, null, async () => {
        const problem = await blockedTurn((last = await turn({})));
        through = !problem;
        return problem;
      });
      if (!through) last = await turn(proof(token));
    }
    if ("error" in last) throw last.error;
    return last.value;
  };
}

/**
 * The blocked call in what a turn came to; null where the thing tells that its answer is another site's.
 * @param {{value?: any, error?: any}} turn
 */
function blockedTurn({ value, error }) {
  const found = error ?? value;
  if (found instanceof Response) return blockedBy(found);
  return sameOrigin(found?.request?.responseURL ?? "", location.href) ? blockedIn(found) : null;
}

/**
 * Ask for proof for a call that the page makes by itself: one that was blocked, by its problem document, or one that
 * is still to be made, by what it will be, where the application lets clients start so (`may_start=`).
 * @param {string | Problem} what
 * @param {{resource?: {type: string, id: string}, params?: import("./types.js").Json, signal?: AbortSignal}} [about]
 * @returns {Promise<{token: string | null, error: StepUpError | null}>}
 */
export async function prove(what, { resource, params, signal } = {}) {
  try {
    const asked = { action: what, resource, params };
    const found = typeof what === "string" ? await (await api()).call("POST", "preflight", asked) : what;
    if (found.outcome === "allowed") return { token: null, error: null };
    if (!blocked(found)) return { token: null, error: new StepUpError(found.code, found) };
    return { token: await queue.prove(found, signal), error: null };
  } catch (error) {
    if (error instanceof StepUpError) return { token: null, error };
    throw error;
  }
}

export { StepUpCancelledError, StepUpError, setTexts };
Object.assign(globalThis, { stepup: { StepUpCancelledError, StepUpError, fetch, prove, setTexts, wrap } });

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (!(form instanceof HTMLFormElement) || !form.hasAttribute("data-stepup") || event.defaultPrevented) return;
  // By attributes: a field may be called `method`, and would stand in the place of the form's own.
  const told = (/** @type {string} */ name) => submitter?.getAttribute(`form${name}`) ?? form.getAttribute(name) ?? "";
  const address = told("action") || location.href;
  if (told("method").toLowerCase() !== "post" || !sameOrigin(address, document.baseURI, location.href)) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const data = new FormData(form, submitter);
  import("./forms.js").then(({ send }) => send(form, address, data, told("enctype")), () => {
    form.ariaBusy = null;
    form.removeAttribute("data-stepup"); // it goes as it would without JavaScript
    form.requestSubmit(submitter);
  }); // prettier-ignore
});
