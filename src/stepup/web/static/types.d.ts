/** The shapes that the modules here share, and that a page may use. `stepup.d.ts` says what a page can call. */

/** Any JSON object. */
export type Json = Record<string, unknown>;

/** A blocked call, as its problem document says it (RFC 9457), or as the preflight does. */
export interface Problem {
  code: string;
  action?: string;
  offer?: string | null;
  methods?: string[];
  unavailable?: Record<string, string>;
  authorization_details?: Json[] | null;
  retryAt?: string | null;
  attemptsLeft?: number;
  enrolUrl?: string | null;
  loginUrl?: string | null;
  outcome?: string;
}

/** What a proof gave. No token where the call passes without one. `uses` is null where they are not counted. */
export interface Proved {
  token: string | null;
  uses: number | null;
}

/** The challenge document. */
export interface Challenge {
  id: string;
  status: string;
  action: { id: string; label: string; resourceType: string | null; resourceId: string | null; riskLevel: string };
  actor: { id: string; email: string | null };
  params: { label: string; value: string }[];
  allowedMethods: string[];
  expiresAt: string;
  policy: { allowTrustedDeviceRemembering: boolean };
}

/** What a proof would open: what that does, what its resource is called, the calls of a bundle, how often, and for whom. Nulls for nothing to say. */
export interface Terms {
  description: string;
  resourceLabel: string | null;
  items: {
    label: string;
    resource: { type: string; id: string; label: string | null } | null;
    params: { label: string; value: string }[];
  }[];
  uses: number | null;
  onBehalfOf: string | null;
}

/** The challenge, and what else is needed to carry it on. */
export interface Envelope extends Terms {
  challenge: Challenge;
  now: string;
  attemptsLeft: number;
  remaining: string[];
  proved: string[];
  approval: Approval | null;
}

/** How far the approval by others is. */
export interface Approval {
  id: string;
  standing: "pending" | "ready" | "denied" | "withdrawn" | "expired" | "collected" | "closed";
  who: string;
  quorum: number;
  given: number;
  expiresAt: string;
  denial: string | null;
}

/** What a method asks for. */
export interface Prompt {
  method: string;
  sentTo: string | null;
  resendAt: string | null;
  expiresAt: string | null;
  options: Json;
}

/** Makes a blocked call once more, without proof: what blocks it now, with a new offer, or null if it went through. */
export type Again = () => Promise<Problem | null>;

/** How the queue asks a person, and looks again at a call that has waited. */
export interface Asking {
  ask(problem: Problem, key: string, signal: AbortSignal, again: Again): Promise<Proved>;
  refresh(problem: Problem, again: Again): Promise<Problem | null>;
}

/** What `stepup:required` says. `problem` is the blocked call; `signal` is aborted when nobody waits any more. */
export interface RequiredDetail {
  problem: Problem;
  signal: AbortSignal;
  /** The token that the proof gave, or null where the call passes without; `uses` as the grant says, 1 if not known. */
  complete(token: string | null, uses?: number | null): void;
  cancel(): void;
}
