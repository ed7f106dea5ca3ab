"""The words of the mail that carries a code, by language: ``MailTexts`` and the catalogue.

Every text is plain text; the HTML part is made from the same values, escaped. ``{action}``, ``{requester}``
and ``{minutes}`` are filled in where they stand. No text holds a link: a mail that asks people to click
would train them for the one that steals from them.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from stepup._languages import tag_of
from stepup.errors import ConfigurationError

_PLACES: Final = {"subject": {"action"}, "intro": {"action", "requester"}, "validity": {"minutes"}}


@dataclass(frozen=True, slots=True)
class MailTexts:
    """One language. ``subject`` and ``intro`` must name the action; the subject can not name the code.

    Attributes:
        subject: may hold ``{action}``.
        intro: what is about to happen; may hold ``{action}`` and ``{requester}``.
        resource, requester, on_behalf_of, device, ip: labels of the details.
        code: label of the code.
        validity: how long it is good for; may hold ``{minutes}``.
        warning: what to do if the person did not ask for it.
    """

    subject: str
    intro: str
    resource: str
    requester: str
    on_behalf_of: str
    device: str
    ip: str
    code: str
    validity: str
    warning: str

    def __post_init__(self) -> None:
        for one in fields(self):
            text = getattr(self, one.name)
            if not isinstance(text, str) or not text:
                raise ConfigurationError(f"MailTexts.{one.name} must be text.")
            try:
                named = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
            except ValueError:
                named = {text}
            if surplus := named - _PLACES.get(one.name, set()):
                allowed = ", ".join(f"{{{name}}}" for name in sorted(_PLACES.get(one.name, set()))) or "no placeholder"
                raise ConfigurationError(f"MailTexts.{one.name} may hold {allowed}, not {sorted(surplus)[0]!r}.")


ENGLISH: Final = MailTexts(
    subject="Confirm: {action}",
    intro="{requester} asked to confirm this action: {action}",
    resource="Concerns",
    requester="Requested by",
    on_behalf_of="On behalf of",
    device="Device",
    ip="IP address",
    code="Your code",
    validity="It is valid for {minutes} min, for this action only.",
    warning="If this was not you, do not give the code to anybody and change your password: someone may be using your "
    "account. Nobody who works for us will ask you for this code.",
)

GERMAN: Final = MailTexts(
    subject="Bitte bestätigen: {action}",
    intro="{requester} möchte diese Aktion bestätigen: {action}",
    resource="Betrifft",
    requester="Angefordert von",
    on_behalf_of="Im Namen von",
    device="Gerät",
    ip="IP-Adresse",
    code="Ihr Code",
    validity="Er gilt {minutes} min und nur für diese Aktion.",
    warning="Wenn Sie das nicht waren, geben Sie den Code niemandem und ändern Sie Ihr Passwort: Möglicherweise "
    "benutzt jemand Ihr Konto. Niemand von uns wird Sie nach diesem Code fragen.",
)

FRENCH: Final = MailTexts(
    subject="À confirmer : {action}",
    intro="{requester} a demandé de confirmer cette action : {action}",
    resource="Concerne",
    requester="Demandé par",
    on_behalf_of="Au nom de",
    device="Appareil",
    ip="Adresse IP",
    code="Votre code",
    validity="Il est valable {minutes} min, pour cette action uniquement.",
    warning="Si ce n'était pas vous, ne donnez ce code à personne et changez votre mot de passe : quelqu'un utilise "
    "peut-être votre compte. Personne chez nous ne vous demandera ce code.",
)

SPANISH: Final = MailTexts(
    subject="Confirme: {action}",
    intro="{requester} ha pedido confirmar esta acción: {action}",
    resource="Se refiere a",
    requester="Solicitado por",
    on_behalf_of="En nombre de",
    device="Dispositivo",
    ip="Dirección IP",
    code="Su código",
    validity="Es válido durante {minutes} min y solo para esta acción.",
    warning="Si no ha sido usted, no dé el código a nadie y cambie su contraseña: es posible que alguien esté usando "
    "su cuenta. Nadie de nuestro equipo le pedirá este código.",
)

CATALOGUE: Final[Mapping[str, MailTexts]] = MappingProxyType({"de": GERMAN, "en": ENGLISH, "es": SPANISH, "fr": FRENCH})


def catalogue(texts: Mapping[str, MailTexts] | None) -> Mapping[str, MailTexts]:
    """The shipped languages with those of *texts* added or put in their place.

    Raises:
        ConfigurationError: for a value that is not ``MailTexts``.
    """
    merged = dict(CATALOGUE)
    for tag, one in (texts or {}).items():
        if not isinstance(one, MailTexts):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"EmailCode(texts=) holds a {type(one).__name__} for {tag!r}, not MailTexts.")
        merged[tag_of(tag)] = one
    return MappingProxyType(merged)
