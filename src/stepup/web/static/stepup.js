/**
 * The one module that a page loads: `<script type="module" src="/stepup/static/stepup.js"></script>`. What it exports
 * is the global `stepup` too, for scripts that are no modules. Forms with `data-stepup` work as well (`forms.js`).
 */
import { fetch, prove, wrap } from "./client.js";
import { enhance } from "./forms.js";
import { StepUpCancelledError, StepUpError } from "./pure.js";
import { setTexts } from "./texts.js";

export { StepUpCancelledError, StepUpError, fetch, prove, setTexts, wrap };

Object.assign(globalThis, { stepup: { StepUpCancelledError, StepUpError, fetch, prove, setTexts, wrap } });
enhance(document);
