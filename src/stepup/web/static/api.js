/**
 * The protocol's calls, and the server's time. Same origin only; a refusal is thrown as `StepUpError` with its code,
 * an answer that never came as `offline`.
 *
 * @typedef {import("./types.js").Problem} Problem
 */
import { StepUpError } from "./pure.js";

/** Where the protocol is: beside this module, unless that came from elsewhere. */
const BESIDE = new URL("../", import.meta.url);
export const ROOT = BESIDE.origin === location.origin ? BESIDE : new URL("/stepup/", location.origin);

/** The server's clock minus `performance.now()`; the clock of the computer is asked only where the server never said. */
let ahead = Date.now() - performance.now();
let told = false;

/**
 * A time of the server's in milliseconds of `performance.now()`.
 * @param {string} time
 */
export const local = (time) => Date.parse(time) - ahead;

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function call(method, path, body) {
  let response, text;
  try {
    response = await fetch(new URL(path, ROOT), {
      method,
      mode: "same-origin",
      cache: "no-store",
      keepalive: method === "DELETE", // so that what is called off when a page is left is called off
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch {
    throw new StepUpError("offline");
  }
  const answer = parsed(text);
  const now = Date.parse(answer.now ?? (told ? "" : response.headers.get("date") ?? ""));
  if (now) ahead = now - performance.now();
  told ||= "now" in answer;
  if (!response.ok) throw new StepUpError(typeof answer.code === "string" ? answer.code : "store_unavailable", answer);
  return answer;
}

/**
 * @param {string} text
 * @returns {any}
 */
function parsed(text) {
  try {
    return Object(JSON.parse(text || "{}"));
  } catch {
    return {};
  }
}

/**
 * What the server says of a blocked call by now.
 * @param {Problem} problem
 * @returns {Promise<Problem>}
 */
export function preflight({ authorization_details }) {
  return call("POST", "preflight", { authorization_details });
}

/**
 * A blocked call with an offer that is good: null if it passes by now. The server hands out an offer for a call that
 * was really blocked, so where a new one is needed the call is made `again`. What cannot be had now stays as it was.
 * @param {Problem} problem
 * @param {import("./types.js").Again} again
 * @returns {Promise<Problem | null>}
 */
export async function refresh(problem, again) {
  try {
    const found = problem.authorization_details ? await preflight(problem) : problem;
    if (found.outcome === "allowed") return null;
    return found !== problem && found.offer ? found : await again();
  } catch (error) {
    if (error instanceof StepUpError && error.code === "stale") throw error;
    return problem;
  }
}

/** Tells the other tabs what is asked and what was proved; never a token. Made for one origin, heard by it alone. */
export const tabs = typeof BroadcastChannel === "function" ? new BroadcastChannel("stepup") : null;

/**
 * @param {"opened" | "verified"} what
 * @param {string} key
 */
export const tell = (what, key) => tabs?.postMessage({ what, key });
