/** What a page can call: `import * as stepup from "/stepup/static/stepup.js"`, or the global `stepup`. */

import type { Json, Problem, RequiredDetail } from "./types.js";

export type { Challenge, Json, Problem, RequiredDetail } from "./types.js";

/** Something that stepup refuses. `code` is one of the protocol's codes. */
export class StepUpError extends Error {
  constructor(code: string, problem?: Problem | null);
  readonly code: string;
  readonly problem: Problem | null;
}

/** The person called it off. */
export class StepUpCancelledError extends StepUpError {
  constructor();
}

/** `fetch`; a call of this site that is blocked asks for proof, and is repeated once. */
export function fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

/** A function that makes a call by other means. It is given headers first: none, and after a proof those to send. */
export function wrap<A extends unknown[], R>(
  fn: (headers: Record<string, string>, ...args: A) => R | Promise<R>,
): (...args: A) => Promise<R>;

/** Ask for proof for a call that was blocked; or, by its action, for one to be made, where `may_start=` allows that. */
export function prove(
  what: string | Problem,
  about?: { resource?: { type: string; id: string }; params?: Json; signal?: AbortSignal },
): Promise<{ token: string | null; error: StepUpError | null }>;

/** Replace texts of the dialog, in one language or, without one, in all. */
export function setTexts(texts: Record<string, string>, lang?: string): void;

declare global {
  interface DocumentEventMap {
    "stepup:required": CustomEvent<RequiredDetail>;
  }
}
