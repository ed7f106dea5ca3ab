/** What a page gets from `/stepup/static/account.js`: three elements, and word of what they change. */

import type { Change } from "./account-types.js";

export type { Change, Device, Factor, SecurityEvent } from "./account-types.js";
export { setTexts } from "./stepup.js";

declare class AccountElement extends HTMLElement {
  /** Read it again from the server, and show it. Never rejects: what goes wrong is shown. */
  refresh(): Promise<void>;
}

/** `<stepup-events>`: what has happened, newest first. Attributes: `heading-level` (1 to 5), `limit` (1 to 100), `lang`. */
export class StepUpEvents extends AccountElement {}

/** `<stepup-factors>`: the ways to confirm: list, add, rename, remove. Attributes: `heading-level` (1 to 5), `lang`. */
export class StepUpFactors extends AccountElement {}

/** `<stepup-devices>`: the remembered devices: list, rename, forget. Attributes: `heading-level` (1 to 5), `lang`. */
export class StepUpDevices extends AccountElement {}

declare global {
  interface HTMLElementTagNameMap {
    "stepup-events": StepUpEvents;
    "stepup-factors": StepUpFactors;
    "stepup-devices": StepUpDevices;
  }
  interface DocumentEventMap {
    /** An element has changed something. A page that does so itself may dispatch it, and the elements read again. */
    "stepup:changed": CustomEvent<Change>;
  }
}
