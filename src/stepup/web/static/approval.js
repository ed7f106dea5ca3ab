/**
 * Approval by somebody else: its words, waiting for it, and taking the request back.
 */
import { h } from "./dom.js";
import { StepUpError } from "./pure.js";

export const EN = {
  "approval.hint": "Somebody else confirms this for you.",
  "approval.go": "Ask for approval",
  "approval.busy": "Waiting for approval…",
  "approval.waits": "Waiting for approval from {who}: {given} of {quorum} so far. You can leave this open.",
  "approval.away": "The server does not answer at the moment. It is asked again.",
  "approval.withdraw": "Cancel the request",
  "approval.stays": "Closing this leaves the request standing: you can come back to it.",
};

const POLL = 3000;
/** What passes by itself: it is no answer about the request. */
const PASSING = new Set(["offline", "store_unavailable", "rate_limited"]);
/** What it means that a challenge was not answered and is not open, where that is more than closed. */
const OVER = new Map([["expired", "challenge_expired"], ["denied", "approval_denied"]]); // prettier-ignore

/**
 * Ask for it, if nobody has been asked; then look now and then, and say how far it is. Only an answer ends that: where
 * none is to be had, it is asked again, and not before the server wants to be.
 * @param {import("./api.js").Ceremony} way
 * @param {import("./view.js").View} view
 * @param {() => boolean} open whether somebody still waits
 * @returns {Promise<string>} `ready` to be collected, `verified` elsewhere, or why it has ended; empty if nobody waits
 */
export async function outcome(way, view, open) {
  const { call, local } = await import("./api.js"); // which is there by now; the words alone need no browser
  if (!way.waits) await way.prepare("approval");
  view.paint("approval.busy", way.more);
  let [said, id] = ["", ""];
  const taken = taking(view, () => call("DELETE", `approvals/${id}`));
  try {
    while (open()) {
      let [pause, now] = [POLL, view.text("approval.away")];
      try {
        const { challenge, approval } = await way.look();
        const { status } = challenge;
        if (status !== "open") return status === "verified" ? status : (OVER.get(status) ?? "challenge_closed");
        if (approval?.standing === "ready") return "ready";
        const { given = 0, quorum = 1, who = "" } = approval ?? {};
        id = approval?.id ?? "";
        now = view.text("approval.waits", { given, quorum, who });
        if (open() && id && !taken.isConnected) view.panel.append(taken);
      } catch (error) {
        if (!(error instanceof StepUpError) || !PASSING.has(error.code)) throw error;
        const at = error.problem?.retryAt;
        if (at) pause = Math.max(pause, local(at) - performance.now());
      }
      if (now !== said && open()) view.say((said = now));
      await new Promise((on) => setTimeout(on, pause));
    }
    return "";
  } finally {
    taken.remove();
  }
}

/**
 * The button that takes the request back, which closing the dialog does not.
 * @param {import("./view.js").View} view
 * @param {() => Promise<unknown>} withdraw
 */
function taking(view, withdraw) {
  let busy = false;
  const click = async () => {
    if (busy) return;
    busy = true;
    view.error.replaceChildren();
    try {
      await withdraw();
      if (taken.isConnected) view.dialog.close();
    } catch {
      // Over by now, which is seen when it is looked at again; or nothing was reached.
      if (taken.isConnected) view.error.textContent = view.text("is.store_unavailable");
    }
    busy = false;
  };
  const props = { type: "button", part: "withdraw", "aria-describedby": "stays", click };
  const button = h("button", props, view.text("approval.withdraw"));
  const taken = h("div", {}, button, h("p", { id: "stays", class: "soft" }, view.text("approval.stays")));
  return taken;
}
