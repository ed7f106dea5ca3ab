/**
 * What only some requests for proof say: every call of a bundle, how often, on whose behalf, what an approver approves,
 * and which ways there are not.
 *
 * @typedef {import("./types.js").Terms} Terms
 * @typedef {[name: string | null, value: string | Node | null]} Row
 */
import { bdi, h } from "./dom.js";

export const EN = {
  items: "These {n}, each once",
  uses: "How often",
  "uses.upto": "up to {n} times",
  behalf: "On behalf of",
  "asks.For": "What they ask for",
  "asks.Requested by": "Who asks",
  "asks.On behalf of": "On behalf of",
  "asks.On": "On",
  unavailable: "Not possible here now:",
  "why.locked": "locked after too many tries",
  "why.quarantined": "too new",
  "why.not_enrolled": "not set up",
  "why.browser": "not in this browser",
  "why.other": "not now",
};

/** Approving what somebody else asks for. Its resource is their request, by an id that says nothing to anybody. */
const APPROVES = "stepup.approval.approve";
/** What the server tells of such a request besides its params; the names of the texts for it. */
const ASKS = ["For", "Requested by", "On behalf of", "On"];

/**
 * The rows between what the action does and its risk, and those after it.
 * @param {import("./texts.js").Words} words
 * @param {import("./types.js").Challenge} challenge
 * @param {Terms} terms
 * @param {Row[]} rows as they are in the common case
 * @returns {[Row[], Row[]]}
 */
export function rows(words, { action, params }, { items, uses, onBehalfOf }, rows) {
  const behalf = /** @type {Row} */ ([words.say("behalf"), onBehalfOf ?? ""]);
  if (items.length) {
    return [[behalf], [[words.say("items", { n: items.length }), h("ol", { part: "items" }, ...items.map(line))]]];
  }
  const often = /** @type {Row} */ ([words.say("uses"), (uses ?? 0) > 1 ? words.say("uses.upto", { n: uses ?? 0 }) : ""]);
  if (action.id !== APPROVES) return [[...rows, often, behalf], []];
  const asks = params.filter(({ label }) => ASKS.includes(label));
  asks.sort((one, other) => ASKS.indexOf(one.label) - ASKS.indexOf(other.label));
  const rest = params.filter((one) => !asks.includes(one));
  const told = asks.map(({ label, value }) => /** @type {Row} */ ([words.say(`asks.${label}`), value]));
  return [[...told, ...rest.map(({ label, value }) => /** @type {Row} */ ([label, value])), behalf], []];
}

/** One call of a bundle: nothing is approved unseen. @param {Terms["items"][number]} item */
function line({ label, resource, params }) {
  const named = resource ? [[resource.type, resource.label ? `${resource.label} (${resource.id})` : resource.id]] : [];
  const facts = [...named, ...params.map((one) => [one.label, one.value])];
  return h("li", {}, bdi(label), ...facts.flatMap(([name = "", value = ""]) => [", ", bdi(name), ": ", bdi(value)]));
}

/**
 * The ways that there are not, each with the reason.
 * @param {import("./view.js").View} view
 * @param {[method: string, why: string][]} ways
 */
export function unavailable(view, ways) {
  const { words } = view;
  const named = ways.map(([name, why]) => `${view.name(name)} (${words.say(`why.${why}`) || words.say("why.other")})`);
  return ways.length ? `${words.say("unavailable")} ${named.join(", ")}` : "";
}
