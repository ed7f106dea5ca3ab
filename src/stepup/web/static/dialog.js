/**
 * `<stepup-dialog>`: asks a person for the proof that opens one call, in a native `<dialog>`; `view.js` has what it
 * shows, `api.js` what it asks the server; `mail.js`, `approval.js` and `terms.js` are loaded where they are needed.
 *
 * `ask` shows it and answers once: with what the proof gave, or `StepUpCancelledError`. However it is closed (Cancel,
 * Escape, the back gesture, taken out of the page), it is called off. `#work` holds everything that talks to the server,
 * so nothing is sent twice; `#fail` says what went wrong. Nothing here comes from the page's address, nothing is kept.
 *
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").Proved} Proved
 * @typedef {{key: string, way: Ceremony, device: AbortController, proved: Proved | null,
 *   resolve: (proved: Proved) => void, reject: (why: unknown) => void}} Asked
 */
import { Ceremony, assertion, local, preflight } from "./api.js";
import { StepUpCancelledError, StepUpError, clock, secondsLeft, worthSaying } from "./pure.js";
import { sheet } from "./style.js";
import { words } from "./texts.js";
import { FINAL, View, remembering, ways } from "./view.js";

const GONE = new Set(["challenge_expired", "challenge_closed", "challenge_not_found", "cancelled", ...FINAL]);
/** @type {Proved} */
const PASSES = { token: null, uses: null };
const BRIEFLY = 800;
const DAY = 864e5;
/** What has no time of its own may be over next year only, or never. */
const LATE = new Set(["locked_out", "rate_limited"]);
/** Tells the other tabs what is asked and what was proved; never a token. Made for one origin, heard by it alone. */
const tabs = new BroadcastChannel("stepup");

export class StepUpDialog extends HTMLElement {
  /** @type {Asked | null} */
  #asked = null;
  #working = "";
  #left = 0;
  #timer = 0;
  /** @type {typeof import("./mail.js") | null} */
  #mail = null;
  #view = new View({
    submit: () => this.#submit(),
    send: () => this.#send(),
    more: () => this.#open(),
    closed: () => this.#closed(),
    choose: (method) => this.#choose(method),
  });

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(this.#view.dialog);
    tabs.addEventListener("message", ({ data }) => this.#heard(data));
    // At once: the event of a closed dialog would come too late. The page may be kept, and come back without it.
    addEventListener("pagehide", () => this.disconnectedCallback());
  }

  /** A dialog that is taken out of the page is closed without a word; whoever waits for it would wait for ever. */
  disconnectedCallback() {
    this.#finish(new StepUpCancelledError());
  }

  /**
   * Ask for the proof that opens a blocked call.
   * @param {Problem} problem
   * @param {string} key what the proof is bound to; another tab that asks for the same says so
   * @param {AbortSignal} signal
   * @param {import("./types.js").Again} again how a new offer is had
   * @returns {Promise<Proved>}
   */
  async ask(problem, key, signal, again) {
    const said = await words([this.closest("[lang]")?.getAttribute("lang"), navigator.language]);
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      this.#view.start(said, this.getAttribute("help-href"));
      const device = new AbortController();
      this.#asked = { key, way: new Ceremony(problem, again), device, proved: null, resolve, reject };
      signal.addEventListener("abort", () => this.#finish(signal.reason), { once: true });
      this.#timer = setInterval(() => this.#tick(), 1000);
      this.#open();
    });
  }

  // -- from the beginning to the end ---------------------------------------------------

  /** Open the challenge, or another one in its place: more time. What was typed stays where it is. */
  #open() {
    const view = this.#view;
    const { method, ended } = view;
    return this.#work("loading", async (asked) => {
      const { way } = asked;
      if (!method) view.tell("loading");
      if (!(await way.open())) return this.#finish(PASSES);
      if (asked !== this.#asked) return;
      tabs.postMessage({ what: "opened", key: asked.key });
      this.#left = 0;
      if (method && !ended && method !== "email_code") return view.tell("more.done");
      const rare = await view.rare(way);
      if (asked !== this.#asked) return;
      view.describe(way, rare);
      const collected = way.approved && (await this.#collect(asked));
      if (asked !== this.#asked || asked.proved) return;
      const going = ways(way);
      if (!(await this.#show(going.includes(method) ? method : going[0]))) return;
      if (collected) view.tell("next", { method: view.name("approval") });
      else if (method && !ended) view.tell("more.code"); // one that was sent is for the challenge before
      else view.tell("ready", { action: way.challenge?.action.label ?? "" });
    });
  }

  /**
   * Collect what others have approved already. False if it does not count any more, true if more than that is needed.
   * @param {Asked} asked
   */
  async #collect(asked) {
    try {
      const grant = await this.#sent(asked, "approval", null);
      if (grant && asked === this.#asked) this.#success(asked, grant);
      return true;
    } catch (error) {
      if (error instanceof StepUpError && error.code === "approval_pending") return false;
      throw error;
    }
  }

  /**
   * Show a way, with what belongs to it. False if there is none, or nobody is asked any more.
   * @param {string | undefined} method
   * @param {boolean} [focus]
   */
  async #show(method, focus) {
    const asked = this.#asked;
    if (method === "email_code") this.#mail = await this.#view.with(import("./mail.js"));
    if (method === "approval") await this.#view.with(import("./approval.js"));
    if (!asked || asked !== this.#asked) return false;
    if (method) this.#view.choose(asked.way, method, focus);
    else this.#view.end("no_usable_method");
    return method !== undefined;
  }

  /** However it was closed. The event comes late, when the next request may be on the screen already. */
  #closed() {
    if (this.#asked && !this.#view.dialog.open) this.#finish(this.#asked.proved ?? new StepUpCancelledError());
  }

  /** @param {unknown} outcome what the proof gave, or why there is none */
  #finish(outcome) {
    const asked = this.#asked;
    if (!asked) return;
    this.#asked = null;
    this.#working = "";
    clearInterval(this.#timer);
    asked.device.abort();
    this.#view.bare();
    const proved = asked.proved ?? (outcome === PASSES ? PASSES : null);
    if (!proved) asked.way.cancel();
    this.#view.dialog.close();
    if (proved) asked.resolve(proved);
    else asked.reject(outcome);
  }

  /** What another tab says; it can only have come from this origin. @param {any} message */
  async #heard(message) {
    const asked = this.#asked;
    if (!asked || asked.proved || message?.key !== asked.key) return;
    if (message.what === "opened") return this.#end("superseded");
    const { outcome } = await preflight(asked.way.problem).catch(() => asked.way.problem);
    if (outcome === "allowed" && asked === this.#asked) this.#finish(PASSES);
  }

  /** @param {string} why @param {Problem | null} [problem] */
  #end(why, problem) {
    const link = { no_usable_method: problem?.enrolUrl, login_required: problem?.loginUrl }[why];
    this.#asked?.device.abort();
    this.#view.end(why, link);
  }

  // -- doing it ---------------------------------------------------------------------------

  /**
   * One thing at a time; while it lasts, the button says so.
   * @param {string} what
   * @param {(asked: Asked) => Promise<unknown>} deed
   */
  async #work(what, deed) {
    const [asked, view] = [this.#asked, this.#view];
    if (!asked || this.#working || asked.proved) return;
    this.#working = what;
    view.error.replaceChildren();
    view.input?.removeAttribute("aria-invalid");
    this.#paint();
    let went = false;
    try {
      await deed(asked);
      went = true;
    } catch (error) {
      if (asked === this.#asked && !view.ended) this.#fail(error);
    }
    if (asked !== this.#asked) return;
    this.#working = "";
    this.#tick();
    this.#paint();
    // Others were asked before, and nothing else is left to do: it is waited for, and collected, without a press.
    if (went && asked.way.waits && view.method === "approval" && ways(asked.way).length === 1) void this.#approval();
  }

  #submit() {
    const view = this.#view;
    const { method, ended } = view;
    if (FINAL.has(ended)) return view.dialog.close();
    if (ended) return this.#open();
    const going = this.#asked ? ways(this.#asked.way) : [];
    // What follows could not be loaded before: it is asked for, and what counts already is not sent again.
    if (!going.includes(method)) return this.#work("loading", () => this.#show(going[0], true));
    if (method === "passkey") return this.#passkey();
    if (method === "approval") return this.#approval();
    if (!view.input) return this.#send();
    const { value, trouble } = view.read();
    if (trouble) return this.#working || view.wrong(view.text(`is.${trouble}`));
    return this.#work("busy", (asked) => this.#answer(asked, value));
  }

  /** @param {string} method */
  #choose(method) {
    if (!this.#working) this.#view.say("");
    return this.#work("loading", () => this.#show(method, true));
  }

  /** @param {Asked} asked @param {string} method @param {unknown} response */
  #sent({ way }, method, response) {
    return way.answer(method, response, this.#view.remember && remembering(way, method));
  }

  /** @param {Asked} asked @param {unknown} response */
  async #answer(asked, response) {
    const { method } = this.#view;
    const grant = await this.#sent(asked, method, response);
    if (asked !== this.#asked) return;
    if (grant) return this.#success(asked, grant);
    if (await this.#show(ways(asked.way)[0], true)) this.#view.tell("next", { method: this.#view.name(method) });
  }

  /** @param {Asked} asked @param {Proved} grant */
  #success(asked, { token, uses }) {
    asked.proved = { token, uses };
    clearInterval(this.#timer);
    this.#view.bare();
    this.#view.done = true;
    this.#view.tell("done");
    this.#view.title.focus();
    if (uses === null) tabs.postMessage({ what: "verified", key: asked.key });
    setTimeout(() => asked === this.#asked && this.#finish(null), BRIEFLY);
  }

  #send() {
    if (this.#view.input && this.#view.resend.getAttribute("aria-disabled") === "true") return undefined;
    return this.#work("email_code.busy", async ({ way }) => this.#mail?.send(way, this.#view));
  }

  #passkey() {
    return this.#work("passkey.busy", async (asked) => {
      const { signal } = (asked.device = new AbortController()); // the one before may have been taken back
      const { options } = await asked.way.prepare("passkey");
      const made = await assertion(options, signal).catch(() => {
        throw new StepUpError("passkey"); // called off, too late, and none here look the same, and shall
      });
      await this.#answer(asked, made);
    });
  }

  /** Ask for it, if nobody has been asked, and wait; once others have approved, it is collected. */
  #approval() {
    const view = this.#view;
    return this.#work("approval.busy", async (asked) => {
      const { outcome } = await view.with(import("./approval.js"));
      const how = await outcome(asked.way, view, () => asked === this.#asked && !view.ended);
      if (how === "ready") return this.#answer(asked, null);
      if (how === "verified") return this.#success(asked, PASSES);
      if (how) this.#end(how);
    });
  }

  /** @param {unknown} error */
  #fail(error) {
    const view = this.#view;
    const { code, problem } = error instanceof StepUpError ? error : new StepUpError("store_unavailable");
    const { attemptsLeft: tries, retryAt } = problem ?? {};
    if (code === "verification_failed") {
      if (tries === 0) return this.#end("failed");
      return view.wrong(view.text("is.wrong") + (tries === undefined ? "" : ` ${view.words.count("tries", tries)}`));
    }
    if (code === "stale") return this.#finish(error);
    if (code === "passes") return this.#finish(PASSES);
    if (code === "moved") {
      view.choose(/** @type {Asked} */ (this.#asked).way, view.method, true);
      return view.tell(view.method === "passkey" ? "is.passkey" : "more.code");
    }
    if (GONE.has(code)) return this.#end(code, problem);
    // By the clock of the computer, which is the one that the person looks at, however wrong it is.
    const wait = retryAt ? local(retryAt) - performance.now() : 0;
    const at = new Date(Date.now() + wait)[wait > DAY ? "toLocaleString" : "toLocaleTimeString"](view.words.lang);
    const said = !retryAt && LATE.has(code) ? "later" : code;
    if (!view.method) this.#end(view.ended || "store_unavailable"); // it did not even begin
    view.error.textContent = view.text(`is.${said}`, { at }) || view.text("is.store_unavailable");
  }

  // -- time ---------------------------------------------------------------------------------

  #paint() {
    this.#view.paint(this.#working, this.#asked?.way.more ?? false);
  }

  #tick() {
    const [asked, view] = [this.#asked, this.#view];
    if (!asked?.way.deadline || view.ended || asked.proved) return;
    const now = performance.now();
    const left = secondsLeft(asked.way.deadline, now);
    const mark = worthSaying(this.#left, left);
    this.#left = left;
    view.timer.textContent = view.text("left", { time: clock(left) });
    if (mark) view.tell("left.say", { seconds: mark });
    const again = asked.way.sent.get(view.method)?.resendAt;
    const wait = again ? secondsLeft(local(again), now) : 0;
    if (view.method === "email_code") this.#mail?.cooldown(view, wait, this.#working !== "");
    // An answer that is on its way is the server's to judge; a device or a person that is waited for is not.
    if (!left && (!this.#working || /^(passkey|approval)/.test(this.#working))) this.#end("challenge_expired");
  }
}

if (!customElements.get("stepup-dialog")) customElements.define("stepup-dialog", StepUpDialog);
