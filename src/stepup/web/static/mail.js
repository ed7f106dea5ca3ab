/**
 * The mailed code, which somebody has to have sent first: its words, the sending, and the wait for another one.
 *
 * @typedef {import("./view.js").View} View
 */
import { clock } from "./pure.js";

export const EN = {
  "email_code.hint": "Uses a code that is mailed to you.",
  "email_code.label": "Code from the mail",
  "email_code.go": "Mail me a code",
  "email_code.busy": "Sending…",
  sent: "A code is on its way to {to}. Only the newest one counts.",
  resend: "Nothing came? Send another code",
  wait: "You can ask for another code in {time}.",
  "more.code": "You have more time. Have a new code sent.",
};

/**
 * @param {import("./api.js").Ceremony} way
 * @param {View} view
 */
export async function send(way, view) {
  const { sentTo } = await way.prepare("email_code");
  view.choose(way, "email_code", true);
  view.tell("sent", { to: sentTo ?? "" });
}

/**
 * The button for another code, and how long it has to wait.
 * @param {View} view
 * @param {number} seconds
 * @param {boolean} busy
 */
export function cooldown({ resend, words }, seconds, busy) {
  resend.setAttribute("aria-disabled", `${seconds > 0 || busy}`);
  resend.textContent = seconds ? words.say("wait", { time: clock(seconds) }) : words.say("resend");
}
