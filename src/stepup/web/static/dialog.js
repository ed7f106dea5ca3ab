/**
 * `<stepup-dialog>`: asks a person for the proof that opens one call, in a native `<dialog>`; `view.js` has what it
 * shows, `ceremony.js` what it asks the server.
 *
 * `ask` shows it and answers once: with what the proof gave, or `StepUpCancelledError`. However it is closed (Cancel,
 * Escape, the back gesture), it is called off. `#work` holds everything that talks to the server, so nothing is sent
 * twice; `#fail` says what went wrong. Nothing here comes from the page's address, and nothing is kept.
 *
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./types.js").Proved} Proved
 * @typedef {{key: string, way: Ceremony, device: AbortController, proved: Proved | null,
 *   resolve: (proved: Proved) => void, reject: (why: unknown) => void}} Asked
 */
import { local, preflight, tabs, tell } from "./api.js";
import { Ceremony } from "./ceremony.js";
import { read } from "./panels.js";
import { StepUpCancelledError, StepUpError, clock, secondsLeft, worthSaying } from "./pure.js";
import { sheet } from "./style.js";
import { words } from "./texts.js";
import { FINAL, View, ways } from "./view.js";
import { assertion } from "./webauthn.js";

const GONE = new Set(["challenge_expired", "challenge_closed", "challenge_not_found", "cancelled", ...FINAL]);
/** @type {Proved} */
const PASSES = { token: null, uses: null };
const BRIEFLY = 800;
const POLL = 3000;
/** What it means that a challenge was not answered and is not open, where that is more than closed. */
const OVER = new Map([["expired", "challenge_expired"], ["denied", "approval_denied"]]);

export class StepUpDialog extends HTMLElement {
  /** @type {Asked | null} */
  #asked = null;
  #working = "";
  #left = 0;
  #timer = 0;
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
    tabs?.addEventListener("message", ({ data }) => this.#heard(data));
    // At once: the event of a closed dialog would come too late. The page may be kept, and come back without it.
    addEventListener("pagehide", () => this.#finish(new StepUpCancelledError()));
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
      const device = new AbortController();
      this.#asked = { key, way: new Ceremony(problem, again), device, proved: null, resolve, reject };
      signal.addEventListener("abort", () => this.#finish(signal.reason), { once: true });
      this.#view.summary.replaceChildren();
      this.#view.lead.replaceChildren();
      this.#view.start(said, this.getAttribute("help-href"));
      this.#timer = setInterval(() => this.#tick(), 1000);
      this.#open();
    });
  }

  // -- from the beginning to the end ---------------------------------------------------

  /** Open the challenge, or another one in its place: more time. What was typed stays where it is. */
  #open() {
    const { method, ended } = this.#view;
    return this.#work("loading", async (asked) => {
      const { way } = asked;
      if (!method) this.#view.say(this.#view.text("loading"));
      if (!(await way.open())) return this.#finish(PASSES);
      if (asked !== this.#asked) return;
      tell("opened", asked.key);
      this.#left = 0;
      if (method && !ended && method !== "email_code") return this.#view.say(this.#view.text("more.done"));
      this.#view.describe(way);
      const collected = way.approved && (await this.#collect(asked));
      if (asked !== this.#asked || asked.proved) return;
      const [first] = ways(way);
      if (!first) return this.#view.end("no_usable_method");
      this.#view.choose(way, ways(way).includes(method) ? method : first);
      const said = collected ? "next" : method && !ended ? "more.code" : "ready"; // a code is for the challenge before
      this.#view.say(this.#view.text(said, { action: way.challenge?.action.label ?? "", method: this.#view.name("approval") }));
    });
  }

  /**
   * Collect what others have approved already. False if it does not count any more, true if more than that is needed.
   * @param {Asked} asked
   */
  async #collect(asked) {
    try {
      const grant = await asked.way.answer("approval", null, false);
      if (grant && asked === this.#asked) this.#success(asked, grant);
      return true;
    } catch (error) {
      if (error instanceof StepUpError && error.code === "approval_pending") return false;
      throw error;
    }
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
    if (!asked.proved && outcome !== PASSES) asked.way.cancel();
    this.#view.dialog.close();
    if (asked.proved) asked.resolve(asked.proved);
    else if (outcome === PASSES) asked.resolve(PASSES);
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
    const asked = this.#asked;
    if (!asked || this.#working || asked.proved) return;
    this.#working = what;
    this.#view.error.replaceChildren();
    this.#view.input?.removeAttribute("aria-invalid");
    this.#paint();
    let went = false;
    try {
      await deed(asked);
      went = true;
    } catch (error) {
      if (asked === this.#asked && !this.#view.ended) this.#fail(error);
    }
    if (asked !== this.#asked) return;
    this.#working = "";
    this.#tick();
    this.#paint();
    // Others were asked before, and nothing else is left to do: it is waited for, and collected, without a press.
    if (went && asked.way.waits && this.#view.method === "approval" && ways(asked.way).length === 1) void this.#approval();
  }

  #submit() {
    const { method, ended, input } = this.#view;
    if (FINAL.has(ended)) return this.#view.dialog.close();
    if (ended) return this.#open();
    if (method === "passkey") return this.#passkey();
    if (method === "approval") return this.#approval();
    if (!input) return this.#send();
    const { value, trouble } = read(method, input.value);
    if (trouble) return this.#working || this.#view.wrong(this.#view.text(`is.${trouble}`));
    return this.#work("busy", (asked) => this.#answer(asked, value));
  }

  /** @param {string} method */
  #choose(method) {
    if (!this.#asked || this.#working) return;
    this.#view.say("");
    this.#view.choose(this.#asked.way, method, true);
    this.#paint();
  }

  /**
   * @param {Asked} asked
   * @param {unknown} response
   */
  async #answer(asked, response) {
    const { method, remembers } = this.#view;
    const grant = await asked.way.answer(method, response, remembers);
    if (asked !== this.#asked) return;
    if (grant) return this.#success(asked, grant);
    const [next] = ways(asked.way);
    if (!next) return this.#end("no_usable_method");
    this.#view.choose(asked.way, next, true);
    this.#view.say(this.#view.text("next", { method: this.#view.name(method) }));
  }

  /**
   * @param {Asked} asked
   * @param {Proved} grant
   */
  #success(asked, { token, uses }) {
    asked.proved = { token, uses };
    clearInterval(this.#timer);
    this.#view.bare();
    this.#view.done = true;
    this.#view.say(this.#view.text("done"));
    this.#view.title.focus();
    if (uses === null) tell("verified", asked.key);
    setTimeout(() => asked === this.#asked && this.#finish(null), BRIEFLY);
  }

  #send() {
    if (this.#view.input && this.#view.resend.getAttribute("aria-disabled") === "true") return undefined;
    return this.#work("email_code.busy", async ({ way }) => {
      const { sentTo } = await way.prepare(this.#view.method);
      this.#view.choose(way, this.#view.method, true);
      this.#view.say(this.#view.text("sent", { to: sentTo ?? "" }));
    });
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

  /** Ask for it, if nobody has been asked; then look now and then. Once others have approved, it is collected. */
  #approval() {
    return this.#work("approval.busy", async (asked) => {
      if (!asked.way.waits) await asked.way.prepare("approval");
      for (let said = ""; asked === this.#asked && !this.#view.ended; ) {
        const { challenge, approval } = await asked.way.look();
        if (challenge.status === "verified") return this.#success(asked, PASSES);
        if (challenge.status !== "open") return this.#end(OVER.get(challenge.status) ?? "challenge_closed");
        if (approval?.standing === "ready") return this.#answer(asked, null);
        const { given = 0, quorum = 1, who = "" } = approval ?? {};
        const now = this.#view.text("approval.waits", { given, quorum, who });
        if (now !== said) this.#view.say((said = now));
        await new Promise((on) => setTimeout(on, POLL));
      }
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
      return view.say(view.text(view.method === "passkey" ? "is.passkey" : "more.code"));
    }
    if (GONE.has(code)) return this.#end(code, problem);
    // By the clock of the computer, which is the one that the person looks at, however wrong it is.
    const at = retryAt ? new Date(Date.now() + local(retryAt) - performance.now()).toLocaleTimeString(view.words.lang) : "…";
    const text = view.text(`is.${code}`, { at }) || view.text("is.store_unavailable");
    if (!view.method) this.#end(view.ended || "store_unavailable"); // it did not even begin
    view.error.textContent = text;
  }

  // -- time ---------------------------------------------------------------------------------

  #paint() {
    this.#view.paint(this.#working, this.#asked?.way.more ?? false);
  }

  #tick() {
    const { way } = this.#asked ?? {};
    if (!way?.deadline || this.#view.ended || this.#asked?.proved) return;
    const now = performance.now();
    const left = secondsLeft(way.deadline, now);
    const mark = worthSaying(this.#left, left);
    this.#left = left;
    this.#view.timer.textContent = this.#view.text("left", { time: clock(left) });
    if (mark) this.#view.say(this.#view.text("left.say", { seconds: mark }));
    const again = way.sent.get(this.#view.method)?.resendAt;
    this.#view.cooldown(again ? secondsLeft(local(again), now) : 0, this.#working !== "");
    // An answer that is on its way is the server's to judge; a device or a person that is waited for is not.
    if (!left && (!this.#working || /^(passkey|approval)/.test(this.#working))) this.#end("challenge_expired");
  }
}

if (!customElements.get("stepup-dialog")) customElements.define("stepup-dialog", StepUpDialog);
