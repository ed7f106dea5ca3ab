/**
 * Asking for a passkey: by the browser's own JSON conversion, or by ours where it has none. The server's options are
 * taken as they are; what comes back goes to the server, which is the judge of all of it.
 */

/** Whether this browser has passkeys at all; one that only lacks a passkey may use another device's. */
export const available = typeof PublicKeyCredential === "function";

const own = /** @type {any} */ (available ? PublicKeyCredential : null);
/** Loaded at once where it is needed: between the click and the question to the device there is no time for it. */
const older = own && !(own.parseRequestOptionsFromJSON && own.prototype.toJSON) ? import("./older.js") : null;
older?.catch(() => {}); // whoever needs it is told

/**
 * @param {any} options
 * @param {AbortSignal} signal
 * @returns {Promise<unknown>}
 */
export async function assertion(options, signal) {
  const json = options.publicKey ?? options;
  const ours = await older;
  const publicKey = ours ? ours.parsed(json) : own.parseRequestOptionsFromJSON(json);
  const found = /** @type {any} */ (await navigator.credentials.get({ publicKey, signal }));
  return ours ? ours.written(found) : found.toJSON();
}
