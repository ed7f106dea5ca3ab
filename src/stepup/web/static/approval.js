/**
 * Approval by somebody else: its words, and waiting for it.
 */

export const EN = {
  "approval.hint": "Somebody else confirms this for you.",
  "approval.go": "Ask for approval",
  "approval.busy": "Waiting for approval…",
  "approval.waits": "Waiting for approval from {who}: {given} of {quorum} so far. You can leave this open.",
};

const POLL = 3000;
/** What it means that a challenge was not answered and is not open, where that is more than closed. */
const OVER = new Map([["expired", "challenge_expired"], ["denied", "approval_denied"]]); // prettier-ignore

/**
 * Ask for it, if nobody has been asked; then look now and then, and say how far it is.
 * @param {import("./api.js").Ceremony} way
 * @param {import("./view.js").View} view
 * @param {() => boolean} open whether somebody still waits
 * @returns {Promise<string>} `ready` to be collected, `verified` elsewhere, or why it has ended; empty if nobody waits
 */
export async function outcome(way, view, open) {
  if (!way.waits) await way.prepare("approval");
  for (let said = ""; open(); ) {
    const { challenge, approval } = await way.look();
    const { status } = challenge;
    if (status !== "open") return status === "verified" ? status : (OVER.get(status) ?? "challenge_closed");
    if (approval?.standing === "ready") return "ready";
    const { given = 0, quorum = 1, who = "" } = approval ?? {};
    const now = view.words.say("approval.waits", { given, quorum, who });
    if (now !== said && open()) view.say((said = now));
    await new Promise((on) => setTimeout(on, POLL));
  }
  return "";
}
