/**
 * For pages with htmx: a request that is blocked asks for proof, and is made once more. Load it beside htmx, 2 or 4.
 *
 * htmx 4 makes its calls by whatever `fetch` it is given. htmx 2 has its own way: the answer that blocked is kept from
 * it, and after the proof the same request is issued for the same element, without asking `hx-confirm` again.
 */
import { blocked, sameOrigin } from "./pure.js";
import { fetch, prove } from "./stepup.js";

/** Elements whose request is being made once more. @type {WeakSet<Element>} */
const again = new WeakSet();

/**
 * @param {string} name
 * @param {(event: CustomEvent, detail: any) => void} listener
 */
function on(name, listener) {
  document.addEventListener(name, (event) => event instanceof CustomEvent && listener(event, event.detail));
}

on("htmx:config:request", (_, { ctx }) => {
  ctx.fetch ??= fetch;
});

on("htmx:beforeOnLoad", (event, { xhr, requestConfig: made, target }) => {
  const problem = blockedBy(xhr);
  if (!problem || "Idempotency-Key" in made.headers || !sameOrigin(made.path, document.baseURI, location.href)) return;
  event.preventDefault();
  const { verb, path, elt, formData, parameters } = made;
  const issue = (/** @type {Record<string, string>} */ headers) => {
    again.add(elt);
    const { htmx } = /** @type {any} */ (globalThis);
    return htmx.ajax(verb, path, { source: elt, target, values: formData ?? parameters, headers });
  };
  prove(problem).then(({ token, error }) => {
    if (error?.code === "stale") return issue({}); // from the beginning: it is blocked again, with a new offer
    if (error && error.code !== "cancelled") throw error;
    if (!error) return issue({ ...(token && { "StepUp-Token": token }), "Idempotency-Key": key() });
  });
});

on("htmx:confirm", (event, { elt, issueRequest }) => {
  if (!again.delete(elt)) return;
  event.preventDefault();
  issueRequest(true);
});

const key = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join("-");

/** @param {XMLHttpRequest} xhr */
function blockedBy(xhr) {
  const told = xhr.getResponseHeader("content-type") ?? "";
  if (!told.startsWith("application/problem+json") || !sameOrigin(xhr.responseURL, location.href)) return null;
  try {
    return blocked(JSON.parse(xhr.responseText));
  } catch {
    return null;
  }
}
