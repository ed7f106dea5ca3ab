/**
 * The texts of the account's elements: a flat catalogue, English here, other languages in files of their own. What the
 * dialog says as well (what the methods are called, what went wrong) is the dialog's, and `setTexts` replaces both.
 *
 * @typedef {import("./texts.js").Texts} Texts
 */
import { Words, words } from "./texts.js";

/** @type {Texts} */
export const EN = {
  "account.retry": "Try again",
  "account.unavailable": "This is not available here.",
  "account.unchanged": "Nothing was changed.",
  "account.locked": "Confirm that it is you to see this.",
  "account.unlock": "Confirm and show",
  "account.save": "Save",
  "account.rename": "Rename",
  "account.rename.name": "Rename {name}",
  "account.newname": "New name of {name}",
  "account.renamed": "{name} has its new name.",
  "account.remove": "Remove",
  "account.remove.name": "Remove {name}",
  "account.is.offline": "The server cannot be reached. Try again when you are online.",
  "account.is.not_found": "It is not there any more.",
  "account.is.no_usable_method": "For this you first need a way to confirm that can be used already.",
  "account.is.method_not_allowed": "This is not possible here.",
  "account.is.challenge_not_found": "This took too long. Begin again.",
  "events.title": "Recent security events",
  "events.lead": "What has happened in your account, newest first. If you do not know something, change your password.",
  "events.empty": "Nothing has happened yet.",
  "events.older": "Show older events",
  "events.shown.one": "{n} older event is shown.",
  "events.shown.other": "{n} older events are shown.",
  "events.place": "{browser} on {system}",
  "event.ok": "Done",
  "event.refused": "Refused",
  "event.open": "More needed",
  "event.challenge_started": "You were asked to confirm",
  "event.challenge_refused": "Could not ask you to confirm",
  "event.challenge_cancelled": "Confirming was called off",
  "event.prepared": "A way to confirm was chosen",
  "event.code_sent": "A code was sent",
  "event.code_refused": "A code was not sent",
  "event.delivery_failed": "A mail could not be sent",
  "event.attempt.ok": "You confirmed",
  "event.attempt.open": "You confirmed, and one more proof was needed",
  "event.attempt.refused": "An answer was refused",
  "event.authorization.ok": "A confirmed action went through",
  "event.authorization.refused": "An action was refused",
  "event.grant_revoked": "An unlocked action was locked again",
  "event.session_revoked": "All that was unlocked in a session was locked again",
  "event.session_rotated": "The session was renewed",
  "event.everything_revoked": "All that was unlocked was locked again",
  "event.factor_enrolment_started": "Adding a way to confirm began",
  "event.factor_enrolled": "A way to confirm was added",
  "event.factor_changed": "A way to confirm was changed",
  "event.factor_removed": "A way to confirm was removed",
  "event.unlocked": "Support lifted a lock",
  "event.forgotten": "Your data was erased",
  "event.device_remembered": "A device was remembered",
  "event.device_renamed": "A device was given another name",
  "event.device_revoked": "A device was forgotten",
  "event.disabled": "Your account was disabled",
  "event.enabled": "Your account was enabled again",
  "event.approval_requested": "Approval was asked for",
  "event.approval_given": "An approval was given",
  "event.approval_denied": "An approval was denied",
  "event.approval_withdrawn": "A request for approval was taken back",
  "event.approval_expired": "A request for approval ran out",
  "event.approval_refused": "An answer to a request for approval was refused",
  "event.other": "Something else",
  "action.stepup.factor.add": "Add a way to confirm",
  "action.stepup.factor.remove": "Remove a way to confirm",
  "action.stepup.support.unlock": "Lift a lock",
  "action.stepup.device.manage": "Manage remembered devices",
  "factors.title": "Ways to confirm",
  "factors.lead": "What you use to confirm that it is you. Have at least two, in case one is lost.",
  "factors.empty": "You have not set up a way to confirm yet.",
  "factors.codes": "Recovery codes",
  "factors.added": "Added {when}",
  "factors.waiting": "Can be used {when}",
  "factors.unusable": "Cannot be used at the moment",
  "factors.add": "Add a way to confirm",
  "factors.add.passkey": "Add a passkey",
  "factors.add.totp": "Add an authenticator app",
  "factors.add.recovery_code": "Make recovery codes",
  "factors.replace": "Replace the recovery codes",
  "factors.is.added": "{name} was added.",
  "factors.is.waiting": "{name} was added. As a protection it can be used only {when}.",
  "factors.is.removed": "{name} was removed.",
  "factors.name": "Name",
  "factors.name.hint": "So that you know it again, such as “Phone” or “Work laptop”.",
  "factors.go": "Continue",
  "passkey.about": "Your fingerprint, face, screen lock or security key takes the place of a code.",
  "passkey.create": "Create the passkey",
  "passkey.creating": "Waiting for your device…",
  "passkey.none": "This browser has no passkeys.",
  "passkey.not": "No passkey was made. Try again.",
  "passkey.there": "This device has a passkey of yours already.",
  "totp.about": "An app on your phone shows a new code every half minute.",
  "totp.scan": "Scan this picture with your authenticator app.",
  "totp.type": "Or type this secret into the app. Both are shown this once.",
  "totp.qr": "QR code for your authenticator app",
  "totp.copy": "Copy the secret",
  "totp.confirm": "Add the app",
  "codes.about": "Each code helps once when you have lost everything else. New codes take the place of the old ones.",
  "codes.make": "Make new codes",
  "codes.keep": "Keep these codes where nobody else finds them. They are shown this once.",
  "codes.copy": "Copy the codes",
  "codes.download": "Download as text",
  "codes.done": "I have kept them",
  "codes.gone": "The codes are not shown any more.",
  "codes.file": "Recovery codes for {site}, made {when}",
  "codes.file.note": "Each code is good once. Keep this file where nobody else finds it.",
  copied: "Copied.",
  "copied.not": "It could not be copied. Select it and copy it yourself.",
  "devices.title": "Remembered devices",
  "devices.lead": "On these you are asked less often. Forget any that you do not use or do not know.",
  "devices.empty": "No device is remembered.",
  "devices.unnamed": "A device",
  "devices.current": "This device",
  "devices.since": "Remembered {when}",
  "devices.used": "Last used {when}",
  "devices.until": "Until {when}",
  "devices.forget": "Forget",
  "devices.forget.name": "Forget {name}",
  "devices.forgotten": "{name} was forgotten.",
  "devices.all": "Forget all devices",
  "devices.all.sure": "Forget all devices? You will be asked on each of them again.",
  "devices.all.yes": "Yes, forget all",
  "devices.all.done": "All devices were forgotten.",
};

/** @type {Record<string, () => Promise<{default: Texts}>>} */
export const OTHERS = {
  ar: () => import("./account-texts-ar.js"),
  de: () => import("./account-texts-de.js"),
  es: () => import("./account-texts-es.js"),
  fr: () => import("./account-texts-fr.js"),
  ja: () => import("./account-texts-ja.js"),
  pt: () => import("./account-texts-pt.js"),
};

/** What is said: the page's own text, the dialog's, the account's, in this order. */
export class AccountWords extends Words {
  #dialog;

  /** @param {Words} dialog @param {Texts} texts */
  constructor(dialog = new Words("en", {}), texts = EN) {
    super(dialog.lang, texts);
    this.#dialog = dialog;
  }

  /** @param {string} name @param {Record<string, string | number>} [values] */
  say(name, values) {
    return this.#dialog.say(name, values) || super.say(name, values);
  }
}

/**
 * The words for the first of `wanted` languages that there is.
 * @param {(string | null | undefined)[]} wanted
 */
export async function accountWords(wanted) {
  const dialog = await words(wanted);
  const own = await OTHERS[dialog.lang]?.().catch(() => null);
  return new AccountWords(dialog, { ...EN, ...own?.default });
}
