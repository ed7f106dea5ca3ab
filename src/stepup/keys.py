"""Key rings: one list of secrets, newest first, and a separate subkey for every purpose.

``KeyRing.from_secrets(current, *old)``: the newest signs, seals and digests; all verify and open, so a
key is rotated by putting the new one in front and dropping the old one once everything it made has
expired. Subkeys come from HKDF-SHA-256 (RFC 5869), one per purpose, so that nothing made for one
purpose can be presented for another.

Values that must stay comparable across a rotation (session and device hashes) use the *oldest* key of
the ring: adding a key changes none of them, dropping the oldest closes what it had opened.
Long-lived values (sealed secrets, digests of recovery codes, fingerprints) name the key they were made
with: ``Vault`` keeps a ring of its own for them, so that dropping a token key kills no factor.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets
from typing import NoReturn, Self

from .errors import ConfigurationError

MIN_SECRET = 32
Secret = str | bytes


class KeyRing:
    """An ordered list of secrets, newest first. Immutable; its repr shows key ids only.

    Safe to share between threads. It refuses to be pickled or copied into a log by accident.
    """

    __slots__ = ("__dict__", "_kids", "_secrets")

    def __init__(self, *ring: Secret) -> None:
        """Build from secrets, newest first, each at least 32 bytes of random data.

        Raises:
            ConfigurationError: for no secret, a short or plainly non-random one, or the same one twice.
        """
        if not ring:
            raise ConfigurationError("A key ring needs at least one secret.")
        self._secrets = tuple(_checked(secret) for secret in ring)
        self._kids = tuple(hashlib.sha256(b"stepup.kid.v1\0" + secret).hexdigest()[:16] for secret in self._secrets)
        if len(set(self._kids)) != len(self._kids):
            raise ConfigurationError("A key ring holds the same secret twice.", remedy="Remove one of them.")

    @classmethod
    def from_secrets(cls, current: Secret, *old: Secret) -> Self:
        """The same as the constructor, for readers: the current secret, then older ones."""
        return cls(current, *old)

    @classmethod
    def coerce(cls, value: object, *, name: str = "secret") -> KeyRing:
        """Accept what the public API accepts: a secret, a list of secrets, or a ring."""
        if isinstance(value, KeyRing):
            return value
        if isinstance(value, str | bytes):
            return KeyRing(value)
        if isinstance(value, list | tuple):
            ring: list[Secret] = []
            for item in value:  # pyright: ignore[reportUnknownVariableType] -- narrowed on the next line
                if not isinstance(item, str | bytes):
                    raise ConfigurationError(f"{name} holds a {type(item).__name__}.")  # pyright: ignore[reportUnknownArgumentType] -- only its type is named
                ring.append(item)
            return KeyRing(*ring)
        raise ConfigurationError(f"{name} must be bytes or str, a list of them, or a KeyRing.")

    @property
    def kids(self) -> tuple[str, ...]:
        """The key ids, newest first. An id tells nothing about its secret."""
        return self._kids

    def subkey(self, purpose: str, kid: str) -> bytes | None:
        """The 32-byte key for *purpose* under the secret named *kid*; None where the ring lacks it."""
        if kid not in self._kids:
            return None
        return _derive(self._secrets[self._kids.index(kid)], purpose)

    @functools.cached_property
    def _binding_key(self) -> bytes:
        return _derive(self._secrets[-1], "binding")

    def hash_id(self, kind: str, value: str) -> str:
        """Keyed hash of a session id or a device fingerprint: 32 hex digits, stable while the oldest key stays."""
        message = f"{kind}\0{value}".encode()
        return hmac.digest(self._binding_key, message, "sha256").hex()[:32]

    def __repr__(self) -> str:
        return f"KeyRing(kids={self._kids!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A KeyRing is not to be pickled: it holds secrets.")


class Vault:
    """Seals secrets at rest and digests codes, under a ring of its own.

    Sealed: ``kid.nonce.ciphertext`` by AES-256-GCM, bound to *where* it belongs (actor and factor), so
    that a value copied to another person's record does not open. Digests: ``kid.hex``.
    """

    __slots__ = ("_ring",)

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def seal(self, secret: bytes, *, where: str) -> str:
        """Encrypt *secret*; only the same ring and the same *where* open it."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        kid = self._ring.kids[0]
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self._key("seal", kid)).encrypt(nonce, secret, where.encode())
        return ".".join((kid, _b64(nonce), _b64(sealed)))

    def unseal(self, sealed: str, *, where: str) -> bytes | None:
        """Decrypt; None where the key is gone, the text was edited, or it belongs elsewhere."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            kid, nonce, text = sealed.split(".")
            key = self._ring.subkey("seal", kid)
            return None if key is None else AESGCM(key).decrypt(_unb64(nonce), _unb64(text), where.encode())
        except (ValueError, InvalidTag):
            return None

    def digest(self, purpose: str, value: bytes, *, kid: str | None = None) -> str:
        """Keyed hash ``kid.hex`` of a code, address or secret."""
        kid = kid or self._ring.kids[0]
        return f"{kid}.{hmac.digest(self._key(purpose, kid), value, 'sha256').hex()}"

    def digests(self, purpose: str, value: bytes) -> tuple[str, ...]:
        """The digests of *value* under every key, newest first: what it may stand under in a record."""
        return tuple(self.digest(purpose, value, kid=kid) for kid in self._ring.kids)

    def is_newest(self, stored: str) -> bool:
        """Whether a digest was made with the newest key."""
        return stored.partition(".")[0] == self._ring.kids[0]

    def matches(self, stored: str, purpose: str, value: bytes) -> bool:
        """Whether *stored* is the digest of *value*, in constant time; False where its key is gone."""
        kid = stored.partition(".")[0]
        if kid not in self._ring.kids:
            return False
        return hmac.compare_digest(stored.encode(), self.digest(purpose, value, kid=kid).encode())

    def _key(self, purpose: str, kid: str) -> bytes:
        key = self._ring.subkey(purpose, kid)
        assert key is not None  # callers pass ids of this ring
        return key

    def __repr__(self) -> str:
        return f"Vault({self._ring!r})"


def _checked(secret: object) -> bytes:
    if isinstance(secret, str):
        secret = secret.encode()
    if not isinstance(secret, bytes):
        raise ConfigurationError(f"A secret must be bytes or str, not {type(secret).__name__}.")
    if len(secret) < MIN_SECRET or len(set(secret)) < 8:
        raise ConfigurationError(
            f"A secret must have at least {MIN_SECRET} random bytes.",
            remedy='Make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"',
        )
    return secret


@functools.lru_cache(maxsize=256)
def _derive(secret: bytes, purpose: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=b"stepup.v1", info=purpose.encode()).derive(secret)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
