"""Evidence: that the holder of a passkey approved exactly this action, resource and parameters, checked offline.

The event of an accepted passkey attempt keeps the signed assertion. ``record_of(event)`` takes it out as a record of
plain JSON; ``verify(record, public_key)`` needs nothing but it and the passkey's public key, which stands in the event
of its enrolment (``public_key_of``). No store, no gate, no secret::

    record = evidence.record_of(attempt)
    approval = evidence.verify(record, evidence.public_key_of(enrolment))
    assert approval.action == "payout.create" and approval.params == params_digest({"amount": "120.00 EUR"})

Every member of a record is covered. The challenge that was signed is SHA-256 over a domain, the nonce and the digest of
the binding (``Binding.digest``), so changing any of them, the client data, the authenticator data or the signature
breaks it; the id of the passkey and the relying party are compared with the public key and the signed data. (Of an
ECDSA signature anyone can write a second spelling; it proves the same.)

``python -m stepup evidence verify FILE --public-key KEY`` does the same for a file. A key that the record names itself
proves nothing: whoever made the record up has put it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from .binding import Binding
from .errors import InvalidInput
from .event import EVIDENCE, Event, EventType

__all__ = ["Approval", "public_key_of", "record_of", "verify"]

FORMAT: Final = 1
KIND: Final = "stepup.passkey"
_TEXTS: Final = ("authenticator_data", "client_data", "nonce", "public_key", "rp_id", "signature")
_MEMBERS: Final = frozenset({"format", "kind", "binding", *_TEXTS})
_FIELDS: Final = frozenset(Binding("", "").as_data())
_NONCE: Final = 32
_KEY: Final = 2048

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Approval:
    """What a record proves: which passkey approved what, in a page of which origin.

    ``resource`` is its type and its id. ``params`` is a digest; compare it with ``canonical.params_digest`` of the
    parameters. ``session`` and ``device`` are keyed hashes. ``user_verified`` says whether the device verified the
    person, not only that somebody was there.
    """

    credential: str
    actor: str
    action: str
    resource: tuple[str, str] | None
    params: str | None
    on_behalf_of: str | None
    organization: str | None
    tenant: str
    session: str | None
    device: str | None
    rp_id: str
    origin: str
    top_origin: str | None
    user_verified: bool


def record_of(event: Event) -> dict[str, object]:
    """The record that *event* keeps, as plain JSON.

    Raises:
        InvalidInput: for an event that keeps none, or whose evidence is for another call than the event.
    """
    kept = (event.snapshot or {}).get(EVIDENCE)
    if event.type is not EventType.ATTEMPT or not isinstance(kept, Mapping):
        raise InvalidInput("event", "keeps no evidence", remedy="Accepted attempts with a passkey do.")
    record: dict[str, object] = {"format": FORMAT, "kind": KIND, **cast("Record", kept)}
    bound = _binding(record)
    told = (event.actor, event.action, event.resource_type, event.resource_id, event.on_behalf_of)
    if told != (bound.actor, bound.action, bound.resource_type, bound.resource_id, bound.on_behalf_of):
        raise InvalidInput("event", "keeps evidence for another call than its own")
    return {**record, "binding": bound.as_data()}


def public_key_of(event: Event) -> str:
    """The public key that the event of a passkey's enrolment keeps: its id and its COSE key, as one text.

    Raises:
        InvalidInput: for any other event.
    """
    found = event.detail.get("public_key")
    if event.type is not EventType.FACTOR_ENROLLED or not isinstance(found, str):
        raise InvalidInput("event", "keeps no public key", remedy="The events of enrolling a passkey do.")
    return found


def verify(record: Record, public_key: str) -> Approval:
    """What *record* proves by *public_key*.

    Raises:
        InvalidInput: if it proves nothing: a member was changed, is missing or too many, or the key is another.
        ConfigurationError: without the package ``webauthn``.
    """
    from .verifiers import _webauthn as rp
    from .verifiers import _webauthn_read as reading
    from .verifiers._relying_party import library

    library()
    bound, texts = _binding(record), _texts(record)
    if texts["public_key"] != public_key:
        raise InvalidInput("record", "is by another passkey")
    credential, _, key = public_key.partition(".")
    try:
        client_data = reading.unb64(texts["client_data"], reading.MAX_CLIENT_DATA)
        given = reading.Assertion(
            reading.b64(reading.unb64(credential, reading.MAX_ID)),
            client_data,
            reading.unb64(texts["authenticator_data"], reading.MAX_AUTHENTICATOR_DATA),
            reading.unb64(texts["signature"], reading.MAX_SIGNATURE),
        )
        challenge = rp.challenge_for(reading.unb64(texts["nonce"], _NONCE), bound)
        expected = rp.Expected(challenge, reading.unb64(key, _KEY), verified=False)
        party, origin, around = rp.said_by(client_data, texts["rp_id"])
        said = rp.check_assertion(given, expected, party)
    except reading.StepFailed as failed:
        raise InvalidInput("record", f"proves nothing: {failed.step} does not hold") from None
    known = bound.resource_type is not None and bound.resource_id is not None
    return Approval(
        credential=credential,
        actor=bound.actor,
        action=bound.action,
        resource=(bound.resource_type or "", bound.resource_id or "") if known else None,
        params=bound.params,
        on_behalf_of=bound.on_behalf_of,
        organization=bound.organization,
        tenant=bound.tenant,
        session=bound.session,
        device=bound.device,
        rp_id=party.rp_id,
        origin=origin,
        top_origin=around,
        user_verified=said.verified,
    )


def _binding(record: Record) -> Binding:
    """The binding of a record that has every member of one and no other."""
    if not isinstance(record, Mapping) or frozenset(record) != _MEMBERS:  # pyright: ignore[reportUnnecessaryIsInstance] -- it comes from a file
        raise InvalidInput("record", "has not the members of a record")
    if type(record["format"]) is not int or (record["format"], record["kind"]) != (FORMAT, KIND):
        raise InvalidInput("record", "is of another format", remedy="Use the release that wrote it, or a later one.")
    given = record["binding"]
    fields = dict(cast("Mapping[str, object]", given)) if isinstance(given, Mapping) else dict[str, object]()
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    if frozenset(fields) != _FIELDS or not {"actor", "action", "tenant"} <= set(texts):
        raise InvalidInput("record", "has not the members of a binding")
    if any(value is not None and name not in texts for name, value in fields.items()):
        raise InvalidInput("record", "has a binding with a value that is no text")
    return Binding(**texts)


def _texts(record: Record) -> dict[str, str]:
    found = {name: value for name in _TEXTS if isinstance(value := record[name], str) and value.isascii()}
    if set(found) != set(_TEXTS):
        raise InvalidInput("record", "has a member that is no text")
    return found
