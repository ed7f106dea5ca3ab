"""Factors: what is enrolled, and what is told once while something is."""

from __future__ import annotations

from .document import Document, Time


class FactorItem(Document):
    """Something that the person can prove themselves with. What is not ``removable`` is the application's."""

    id: str
    method: str
    label: str
    enrolled_at: Time | None
    usable: bool
    quarantined_until: Time | None
    removable: bool


class Factors(Document):
    """Everything that is enrolled, and the methods of which the person can enrol more."""

    factors: list[FactorItem]
    enrollable: list[str]
    now: Time


class FactorEnvelope(Document):
    """A factor that counts from now, or from the end of its quarantine."""

    factor: FactorItem


class QrCode(Document):
    """A picture: the side of its square, and the outline of its dark parts, as in SVG."""

    size: int
    path: str


class TotpEnrolment(Document):
    """A secret that waits for its first code. It is told this once."""

    id: str
    secret: str
    uri: str
    qr: QrCode | None
    expires_at: Time


class PasskeyEnrolment(Document):
    """A registration that waits for the browser's answer; ``options`` are for ``credentials.create()``."""

    id: str
    options: dict[str, object]
    expires_at: Time


class RecoveryCodes(Document):
    """Codes for a lost factor, each good once. They are told this once."""

    codes: list[str]
