"""``EmailCode``: a short code sent to the person's address. The weakest method, and labelled so.

NIST SP 800-63B-4 and ASVS 6.3.6 do not take mail for an authenticator; a policy can exclude it. What is
done here: digits from the system's random source (at least 20 bits, ASVS 6.5.4), valid for at most ten
minutes (ASVS 6.5.5), the newest one only, bound to its challenge and to the address it was sent to, stored
as a keyed digest, good once.

The state that ``begin`` leaves: ``{"code": digest, "address": digest, "expires": microseconds since 1970}``.
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from stepup.challenge import Challenge
from stepup.context import Actor, Proof
from stepup.errors import ConfigurationError, ContractBroken, DeliveryFailed
from stepup.factor import Factor
from stepup.ports import REJECTED, AsyncMailer, Begun, Ceremony, Checked, Mailer, Message, Prompt, State, Verdict
from stepup.requirement import Strength

from ._codes import canonical
from ._hooked import Hooked, factor_in
from ._mail import EmailCodeMail, described, rendered
from ._mail_texts import MailTexts, catalogue

FACTOR_ID: Final = "email"
MAX_TTL: Final = 600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.I
)

AddressOf = Callable[[Actor], str | Awaitable[str | None] | None]
Render = Callable[[EmailCodeMail], Message | Awaitable[Message]]


class EmailCode(Hooked):
    """Proof by mailed code.

    Args:
        mailer: sends the mail; sync or async (``stepup.mailers``).
        address_of: the person's address, ``None`` where there is none; ``Actor.email`` without the hook.
        digits: 6 to 10.
        ttl: seconds a code is valid, 60 to 600; never longer than its challenge.
        domain: the site's domain for the line ``@domain #code``; the domain of ``mailer.sender`` where it
            has one, else the line is left out.
        render: ``render(mail)`` makes the ``Message`` in place of the shipped copy. The address can not be
            changed by it, and a subject that holds the code is refused.
        texts: ``MailTexts`` by language tag, added to the shipped ``de``, ``en``, ``es`` and ``fr``; chosen
            by ``Context.locale``.

    Raises:
        ConfigurationError: for fewer than 6 digits (20 bits need them) and everything else out of range.
    """

    method = "email_code"
    strength = int(Strength.MAILED)
    amr = ("otp",)
    phishing_resistant = False
    points = 1
    prepares = True

    def __init__(
        self,
        mailer: Mailer | AsyncMailer,
        *,
        address_of: AddressOf | None = None,
        digits: int = 6,
        ttl: int = 300,
        domain: str | None = None,
        render: Render | None = None,
        texts: Mapping[str, MailTexts] | None = None,
    ) -> None:
        if not callable(getattr(mailer, "send", None)):
            raise ConfigurationError(f"EmailCode(mailer=) has no send(): {type(mailer).__name__}.")
        if type(digits) is not int or not 6 <= digits <= 10:
            raise ConfigurationError("EmailCode(digits=) must be 6 to 10: fewer than 6 hold less than 20 bits.")
        if type(ttl) is not int or not 60 <= ttl <= MAX_TTL:
            raise ConfigurationError(f"EmailCode(ttl=) must be 60 to {MAX_TTL} seconds.")
        super().__init__({"mailer": mailer.send, "address_of": address_of, "render": render})
        self.digits = digits
        self.ttl = ttl
        self.domain = _host(domain) if domain is not None else _sender_host(mailer)
        self._send = mailer.send
        self._address_of = address_of
        self._render = render
        self._texts = catalogue(texts)

    async def enrolled(self, actor: Actor, /) -> Sequence[Factor]:
        """The address, or nothing. One that no mail can go to still counts as enrolled."""
        given = await self._given(actor)
        if given is None:
            return ()
        address = _address(given)
        material = None if address is None else _material(address)
        return (Factor(FACTOR_ID, self.method, material=material, usable=address is not None),)

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:
        """Draw a code and prepare its mail; nothing is sent before ``deliver`` is called.

        Raises:
            DeliveryFailed: if the person has no address that counts for this challenge.
            ContractBroken: if ``render`` made no message, or one whose subject holds the code.
        """
        address = _address(await self._given(context.actor)) if factor_in(context, FACTOR_ID) else None
        if address is None:
            raise DeliveryFailed("There is no address to send a code to.")
        code = f"{secrets.randbelow(10**self.digits):0{self.digits}}"
        expires = min(context.now + timedelta(seconds=self.ttl), challenge.expires_at)
        message = await self._message(address, code, challenge, context, expires)
        state: dict[str, str | int | bool] = {
            "code": context.vault.digest("email_code", _bound(challenge, code)),
            "address": context.vault.digest("email_address", _material(address)),
            "expires": (expires - _EPOCH) // _MICROSECOND,
        }
        prompt = Prompt(self.method, sent_to=masked(address), expires_at=expires)
        return Begun(prompt, state, functools.partial(self._send, message))

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        """Compare with the newest code; expired, replaced and foreign ones are ``REJECTED`` alike."""
        code = canonical(response, self.digits)
        ref = factor_in(context, FACTOR_ID)
        if code is None or ref is None or state is None:
            return REJECTED
        digest, sent_to, expires = state.get("code"), state.get("address"), state.get("expires")
        if not isinstance(digest, str) or not isinstance(sent_to, str) or type(expires) is not int:
            return REJECTED
        if (context.now - _EPOCH) // _MICROSECOND >= expires:
            return REJECTED
        if not context.vault.matches(digest, "email_code", _bound(context.challenge, code)):
            return REJECTED
        address = _address(await self._given(context.actor))
        if address is None or not context.vault.matches(sent_to, "email_address", _material(address)):
            return REJECTED
        proof = Proof(self.method, context.now, self.amr, factor_id=FACTOR_ID, strength=self.strength)
        return Checked(Verdict.ACCEPTED, proof, claims=(f"email_code.{digest.rpartition('.')[2][:32]}",))

    async def _given(self, actor: Actor) -> str | None:
        return actor.email if self._address_of is None else await self._call(self._address_of, actor)

    async def _message(
        self, address: str, code: str, challenge: Challenge, context: Ceremony, expires: datetime
    ) -> Message:
        seconds = (expires - context.now) // timedelta(seconds=1)
        mail = described(address, code, challenge, context, seconds, self.domain, self._texts)
        if self._render is None:
            return rendered(mail)
        message = await self._call(self._render, mail)
        if not isinstance(message, Message):  # pyright: ignore[reportUnnecessaryIsInstance] -- a hook may answer anything
            raise ContractBroken(f"EmailCode(render=) made a {type(message).__name__}, not a Message.")
        if code in message.subject.replace(" ", "").replace("-", ""):
            raise ContractBroken("EmailCode(render=) put the code in the subject, which a locked screen shows.")
        return replace(message, to=address)


def masked(address: str) -> str:
    """The address as a hint for the one who knows it: ``o•••@northstar.example``."""
    local, _, domain = address.rpartition("@")
    first = local[0] if len(local) > 1 else ""
    return f"{first}\N{BULLET}\N{BULLET}\N{BULLET}@{domain}"


def _address(given: object) -> str | None:
    """*given*, if it is one address that mail can go to; never repaired."""
    if not isinstance(given, str) or not given.isprintable() or len(given) > 254:
        return None
    local, at, domain = given.rpartition("@")
    plain = not any(character in given for character in ' ,;:<>()[]\\"') and "@" not in local
    return given if at and local and domain and plain else None


def _material(address: str) -> bytes:
    """The address for comparing: ASCII letters in lower case, and no folding that could make two people's equal."""
    return address.encode().lower()


def _bound(challenge: Challenge, code: str) -> bytes:
    return f"{challenge.id}\0{code}".encode()


def _host(domain: object) -> str:
    if not isinstance(domain, str) or not _HOST.fullmatch(domain):
        raise ConfigurationError(f"EmailCode(domain=) must be a host name, not {domain!r}.")
    return domain.lower()


def _sender_host(mailer: object) -> str | None:
    from email.utils import parseaddr

    sender = getattr(mailer, "sender", None)
    address = parseaddr(sender)[1] if isinstance(sender, str) else ""
    local, _, host = address.rpartition("@")
    return host.lower() if local and address in str(sender) and _HOST.fullmatch(host) else None
