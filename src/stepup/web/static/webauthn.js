/**
 * Asking for a passkey: the browser's own JSON conversion, or ours where it has none. The server's options are taken
 * as they are; what comes back goes to the server, which is the judge of all of it.
 */
import { fromBase64url, toBase64url } from "./pure.js";

/** Whether this browser has passkeys at all; one that only lacks a passkey may use another device's. */
export const available = typeof PublicKeyCredential === "function";

/**
 * @param {any} options
 * @param {AbortSignal} signal
 * @returns {Promise<unknown>}
 */
export async function assertion(options, signal) {
  const json = options.publicKey ?? options;
  const made = await navigator.credentials.get({ publicKey: parse(json), signal });
  const found = /** @type {any} */ (made);
  return typeof found.toJSON === "function" ? found.toJSON() : written(found);
}

/** @param {any} json */
function parse(json) {
  const own = /** @type {any} */ (PublicKeyCredential).parseRequestOptionsFromJSON;
  if (typeof own === "function") return own.call(PublicKeyCredential, json);
  const allowed = (json.allowCredentials ?? []).map((/** @type {any} */ one) => ({ ...one, id: fromBase64url(one.id) }));
  return { ...json, challenge: fromBase64url(json.challenge), allowCredentials: allowed };
}

/** @param {any} found */
function written(found) {
  const { clientDataJSON, authenticatorData, signature, userHandle } = found.response;
  return {
    id: found.id,
    rawId: toBase64url(found.rawId),
    type: found.type,
    authenticatorAttachment: found.authenticatorAttachment ?? undefined,
    clientExtensionResults: found.getClientExtensionResults(),
    response: {
      clientDataJSON: toBase64url(clientDataJSON),
      authenticatorData: toBase64url(authenticatorData),
      signature: toBase64url(signature),
      ...(userHandle ? { userHandle: toBase64url(userHandle) } : {}),
    },
  };
}
