"""``Password``: the password the person signs in with, checked by the application or against its Argon2 hash.

::

    Password(check=users.check_password)                  # check(actor, password) -> bool
    Password(hash_of=users.hash_of, rehash=users.set_hash)  # hash_of(actor) -> "$argon2id$..." or None

The password goes to the check exactly as received (ASVS 6.2.8, NIST SP 800-63B-4 section 3.1.1.2): nothing
is stripped, folded or cut; what is too long is refused instead. It is never kept. Only ``True`` itself
accepts: a count, a row or a coroutine is not a yes.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeGuard, overload

from stepup.challenge import Challenge
from stepup.context import Actor, Proof
from stepup.errors import ConfigurationError, Unavailable
from stepup.factor import Factor
from stepup.ports import REJECTED, Begun, Ceremony, Checked, Prompt, State, Verdict
from stepup.requirement import Strength

from ._hooked import Hooked, factor_in

if TYPE_CHECKING:
    from argon2 import PasswordHasher

FACTOR_ID: Final = "password"
MAX_PASSWORD: Final = 4096
"""The longest password looked at, in characters. A longer one is refused, never cut."""

Check = Callable[[Actor, str], bool | Awaitable[bool]]
HasPassword = Callable[[Actor], bool | Awaitable[bool | None] | None]
VersionOf = Callable[[Actor], object]
HashOf = Callable[[Actor], str | Awaitable[str | None] | None]
Rehash = Callable[[Actor, str], object]


class Password(Hooked):
    """Proof by password. Give exactly one of ``check`` and ``hash_of``; every hook may be sync or async.

    Args:
        check: ``check(actor, password)``; anything but ``True`` is a refusal. It should take the same time
            whether or not the person has a password.
        has_password: with ``check``: whether the person has one; ``False`` and ``None`` mean no factor, so
            that the next method is offered. Without it everybody is taken to have one.
        version_of: with ``check``: ``version_of(actor)``, a text that changes whenever the password does (a
            counter, the time of the change). With it a password that was reset without a step-up is noticed
            and quarantined, as it is with ``hash_of``.
        hash_of: the person's Argon2 hash (PHC string), ``None`` where there is none. A hash of any other
            kind makes the factor unusable; it is never compared as text (ASVS 11.4.2).
        rehash: ``rehash(actor, new_hash)``, called after a right password whose hash has other parameters
            than *hasher*. It should replace the old hash only; returning ``False`` says that it did not.
        hasher: an ``argon2.PasswordHasher``; argon2-cffi's defaults (RFC 9106, low memory) without one.

    Raises:
        ConfigurationError: for both or neither of ``check`` and ``hash_of``, or a hook of the other form.
    """

    method = "password"
    strength = int(Strength.PASSWORD)
    amr = ("pwd",)
    phishing_resistant = False
    points = 0
    prepares = False

    @overload
    def __init__(
        self, *, check: Check, has_password: HasPassword | None = None, version_of: VersionOf | None = None
    ) -> None: ...
    @overload
    def __init__(
        self, *, hash_of: HashOf, rehash: Rehash | None = None, hasher: PasswordHasher | None = None
    ) -> None: ...
    def __init__(
        self,
        *,
        check: Check | None = None,
        has_password: HasPassword | None = None,
        version_of: VersionOf | None = None,
        hash_of: HashOf | None = None,
        rehash: Rehash | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        if (check is None) == (hash_of is None):
            raise ConfigurationError("Password needs exactly one of check= and hash_of=.")
        if hash_of is None and (rehash is not None or hasher is not None):
            raise ConfigurationError("Password(rehash=, hasher=) go with hash_of=.")
        if check is None and (has_password is not None or version_of is not None):
            raise ConfigurationError(
                "Password(has_password=, version_of=) go with check=.", remedy="Let hash_of return None."
            )
        hooks = {"check": check, "has_password": has_password, "version_of": version_of}
        super().__init__({**hooks, "hash_of": hash_of, "rehash": rehash})
        self._check = check
        self._has_password = has_password
        self._version_of = version_of
        self._hash_of = hash_of
        self._rehash = rehash
        self._given_hasher = hasher

    async def enrolled(self, actor: Actor, /) -> Sequence[Factor]:
        """The one password, or nothing where the hook says that there is none."""
        if self._hash_of is not None:
            stored = await self._call(self._hash_of, actor)
            if stored is None:
                return ()
            usable = _is_argon2(stored)
            material = str(stored).encode("utf-8", "surrogatepass")
            return (Factor(FACTOR_ID, self.method, material=material, usable=usable),)
        if self._has_password is not None:
            answer = await self._call(self._has_password, actor)
            if answer is None or answer is False:
                return ()
        if self._version_of is None:
            return (Factor(FACTOR_ID, self.method),)
        version = await self._call(self._version_of, actor)
        return (Factor(FACTOR_ID, self.method, material=str(version).encode("utf-8", "surrogatepass")),)

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:  # noqa: ARG002 -- the port's signature
        """Nothing to prepare."""
        return Begun(Prompt(self.method))

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:  # noqa: ARG002 -- the port's signature
        """Check the password; empty, over-long and non-text ones are refused before any hook is called."""
        password = _received(response)
        if password is None:
            return REJECTED
        known = factor_in(context, FACTOR_ID) is not None
        if self._hash_of is not None:
            return await self._check_hash(self._hash_of, password, context, known=known)
        if self._check is None or not known:
            return REJECTED
        answer = await self._call(self._check, context.actor, password)
        return self._accepted(context) if answer is True else REJECTED

    async def _check_hash(self, hash_of: HashOf, password: str, context: Ceremony, *, known: bool) -> Checked:
        stored = await self._call(hash_of, context.actor)
        real = known and _is_argon2(stored)
        # The same work is done for nothing where there is no hash, so that time tells nobody which it was.
        outcome: bool | str = await self._call(self._verify, stored if real else self._dummy(), password)
        if outcome is False or not real:
            return REJECTED
        if outcome is True or self._rehash is None:
            return self._accepted(context)
        written = await self._call(self._rehash, context.actor, outcome)
        return self._accepted(context, None if written is False else outcome.encode())

    def _accepted(self, context: Ceremony, material: bytes | None = None) -> Checked:
        proof = Proof(self.method, context.now, self.amr, factor_id=FACTOR_ID, strength=self.strength)
        return Checked(Verdict.ACCEPTED, proof, material=material)

    def _verify(self, stored: str, password: str) -> bool | str:
        """Whether *password* is right; a new hash where it is and the old one's parameters are outdated."""
        from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

        hasher = self._hasher()
        try:
            hasher.verify(stored, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        except VerificationError as error:
            # Out of memory, or impossible parameters: the operator must learn of it; it is no wrong password.
            problem = str(error)
        else:
            outdated = self._rehash is not None and hasher.check_needs_rehash(stored)
            return hasher.hash(password) if outdated else True
        raise Unavailable(f"The password could not be checked: {problem}.")

    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        return self._given_hasher or PasswordHasher()

    def _dummy(self) -> str:
        """A hash of nothing, with the hasher's own parameters: checking it costs as much and never succeeds."""
        hasher = self._hasher()
        kind = f"argon2{hasher.type.name.lower()}"
        cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        return f"${kind}$v=19${cost}${_random(hasher.salt_len)}${_random(hasher.hash_len)}"


def _received(response: object) -> str | None:
    """The password exactly as received, if it is text that could be one."""
    if not isinstance(response, str) or not 0 < len(response) <= MAX_PASSWORD:
        return None
    try:
        response.encode()
    except UnicodeEncodeError:
        return None
    return response


def _is_argon2(stored: object) -> TypeGuard[str]:
    """Whether it is a whole Argon2 hash: salt of 8 bytes or more, tag of 16 or more, neither of them cut."""
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    if not isinstance(stored, str) or not stored.isascii():
        return False
    try:
        parameters = extract_parameters(stored)
    except InvalidHashError:
        return False
    long_enough = parameters.salt_len >= 8 and parameters.hash_len >= 16
    return long_enough and all(_is_base64(part) for part in stored.split("$")[-2:])


def _is_base64(text: str) -> bool:
    """Whether it is what an Argon2 hash may hold: unpadded, with no stray bits (a hash cut short has some)."""
    try:
        return (
            text != ""
            and base64.b64encode(base64.b64decode(text + "=" * (-len(text) % 4))).rstrip(b"=") == text.encode()
        )
    except binascii.Error:
        return False


def _random(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
