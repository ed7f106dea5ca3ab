/**
 * The JSON of passkeys for browsers that have no conversion of their own; the others never load this.
 */
import { fromBase64url, toBase64url } from "./base64url.js";

/** @param {any} json */
export function parsed(json) {
  const allowed = (json.allowCredentials ?? []).map((/** @type {any} */ one) => ({ ...one, id: fromBase64url(one.id) }));
  return { ...json, challenge: fromBase64url(json.challenge), allowCredentials: allowed };
}

/** @param {any} found */
export function written(found) {
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
