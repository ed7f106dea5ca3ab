/**
 * Forms with `data-stepup`: with JavaScript they are sent by `fetch` and ask in the dialog; without, they go as they
 * are. Where the answer leads elsewhere, the browser follows; an answer of another kind is the page's to show, by the
 * event `stepup:answer`.
 */
import { fetch } from "./stepup.js";
import { StepUpCancelledError } from "./pure.js";

/**
 * @param {HTMLFormElement} form
 * @param {string} address
 * @param {FormData} data
 * @param {string} kind its `enctype`
 */
export async function send(form, address, data, kind) {
  const fields = [...data].map(([name, value]) => [name, typeof value === "string" ? value : value.name]);
  try {
    const body = kind.toLowerCase() === "multipart/form-data" ? data : new URLSearchParams(fields);
    const response = await fetch(address, { method: "POST", headers: { accept: "text/html" }, body });
    if (response.redirected) return location.assign(response.url);
    form.dispatchEvent(new CustomEvent("stepup:answer", { bubbles: true, detail: { response } }));
  } catch (error) {
    if (!(error instanceof StepUpCancelledError)) throw error;
  } finally {
    form.ariaBusy = null;
  }
}
