/**
 * The bytes of passkeys as they stand in JSON, for browsers that have no conversion of their own.
 */

/**
 * Bytes from base64url.
 * @param {string} text
 */
export function fromBase64url(text) {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
}

/**
 * Bytes as base64url, without padding.
 * @param {ArrayBuffer} bytes
 */
export function toBase64url(bytes) {
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
