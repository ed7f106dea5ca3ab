/** The shapes of the account's elements, as the server answers them and as `stepup:changed` tells them. */

/** One line of the person's history. */
export interface SecurityEvent {
  id: string;
  at: string;
  type: string;
  result: string;
  action: string | null;
  resourceType: string | null;
  resourceId: string | null;
  method: string | null;
  ip: string | null;
  userAgent: string | null;
}

/** Something that the person proves themselves with. What is not `removable` is the application's. */
export interface Factor {
  id: string;
  method: string;
  label: string;
  enrolledAt: string | null;
  usable: boolean;
  quarantinedUntil: string | null;
  removable: boolean;
}

/** A device on which the person is asked less often. */
export interface Device {
  id: string;
  label: string;
  current: boolean;
  createdAt: string;
  lastUsedAt: string | null;
  expiresAt: string | null;
}

/** What was changed; `id` and `method` where one was. Never a secret. */
export interface Change {
  what: "factor" | "device";
  change: "added" | "replaced" | "renamed" | "removed" | "forgotten" | "all_forgotten";
  id?: string;
  method?: string;
}
