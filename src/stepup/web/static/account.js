/**
 * The elements of an account page: `<script type="module" src="/stepup/static/account.js"></script>` defines
 * `<stepup-events>`, `<stepup-factors>` and `<stepup-devices>`, and brings all that `stepup.js` does, whose dialog
 * they ask in. A page that only asks for proof loads `stepup.js`, and none of this.
 */
import { StepUpDevices } from "./devices.js";
import { StepUpEvents } from "./events.js";
import { StepUpFactors } from "./factors.js";
import { setTexts } from "./stepup.js";

export { StepUpDevices, StepUpEvents, StepUpFactors, setTexts };

for (const [name, made] of Object.entries({
  "stepup-events": StepUpEvents,
  "stepup-factors": StepUpFactors,
  "stepup-devices": StepUpDevices,
})) {
  if (!customElements.get(name)) customElements.define(name, made);
}
