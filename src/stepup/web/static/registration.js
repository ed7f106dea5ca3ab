/**
 * Making a passkey: the browser's own JSON conversion, or ours where it has none. The server's options are taken as
 * they are; what comes back goes to the server, which is the judge of all of it.
 */
import { fromBase64url, toBase64url } from "./base64url.js";

/**
 * @param {any} options
 * @param {AbortSignal} signal
 * @returns {Promise<unknown>}
 */
export async function registration(options, signal) {
  const made = await navigator.credentials.create({ publicKey: parsed(options.publicKey ?? options), signal });
  const found = /** @type {any} */ (made);
  return typeof found.toJSON === "function" ? found.toJSON() : written(found);
}

/** @param {any} json */
function parsed(json) {
  const own = /** @type {any} */ (PublicKeyCredential).parseCreationOptionsFromJSON;
  if (typeof own === "function") return own.call(PublicKeyCredential, json);
  const excluded = (json.excludeCredentials ?? []).map((/** @type {any} */ one) => ({ ...one, id: fromBase64url(one.id) }));
  const user = { ...json.user, id: fromBase64url(json.user.id) };
  return { ...json, user, challenge: fromBase64url(json.challenge), excludeCredentials: excluded };
}

/** @param {any} found */
function written(found) {
  const { response } = found;
  return {
    id: found.id,
    rawId: toBase64url(found.rawId),
    type: found.type,
    authenticatorAttachment: found.authenticatorAttachment ?? undefined,
    clientExtensionResults: found.getClientExtensionResults(),
    response: {
      clientDataJSON: toBase64url(response.clientDataJSON),
      attestationObject: toBase64url(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
}
