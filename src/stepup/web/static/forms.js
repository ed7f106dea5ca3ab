/**
 * Forms with `data-stepup`: with JavaScript they are sent by `fetch` and ask in the dialog; without, they go as they
 * are. Where the answer leads elsewhere, the browser follows; an answer of another kind is the page's to show, by the
 * event `stepup:answer`.
 */
import { fetch } from "./client.js";
import { StepUpCancelledError, sameOrigin } from "./pure.js";

/** @param {Document} page */
export function enhance(page) {
  page.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !("stepup" in form.dataset) || event.defaultPrevented) return;
    const address = event.submitter?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href;
    if (form.method !== "post" || !sameOrigin(address, page.baseURI)) return;
    event.preventDefault();
    if (form.ariaBusy !== "true") void send(form, address, new FormData(form, event.submitter));
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {string} address
 * @param {FormData} data
 */
async function send(form, address, data) {
  const plain = form.enctype === "application/x-www-form-urlencoded";
  const fields = [...data].map(([name, value]) => [name, typeof value === "string" ? value : value.name]);
  form.ariaBusy = "true";
  try {
    const body = plain ? new URLSearchParams(fields) : data;
    const response = await fetch(address, { method: "POST", headers: { accept: "text/html" }, body });
    if (response.redirected) return location.assign(response.url);
    form.dispatchEvent(new CustomEvent("stepup:answer", { bubbles: true, detail: { response } }));
  } catch (error) {
    if (!(error instanceof StepUpCancelledError)) throw error;
  } finally {
    form.ariaBusy = null;
  }
}
