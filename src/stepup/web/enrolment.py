"""The calls that change how a person proves who they are: listing, adding and removing factors.

Each change is a protected action itself (``stepup.factor.add``, ``stepup.factor.remove``), so these calls are blocked
like any other and take the token in the same place. Secrets are told once, in the answer that made them: the
authenticator's secret, its address and its picture, and recovery codes. What the application keeps (passwords,
addresses) is listed and cannot be changed here.
"""

from __future__ import annotations

from typing import Final

from stepup._engine import factors, passkeys
from stepup.context import RECOVERY_CODE
from stepup.decide.answering import Rejected
from stepup.errors import Code
from stepup.factor import Factor
from stepup.ports import Registers

from .call import Call
from .http import WebResponse, response
from .problems import zulu
from .wire import Confirmation, NewFactor, NewLabel, Registration

TOTP: Final = "totp"
ADDED: Final = (passkeys.PASSKEY, TOTP, RECOVERY_CODE)
"""What these calls can add, where the gate keeps it."""


async def listed(call: Call) -> WebResponse:
    """Everything the person has enrolled, never a secret; and what can be added here, strongest first."""
    found = await factors.every(call.core, call.context)
    kept = sorted(filter(lambda name: _keeps(call, name), ADDED), key=lambda name: -call.core.methods[name].strength)
    return call.ok(
        {"factors": [_document(call, one) for one in found], "enrollable": kept, "now": zulu(call.core.now())}
    )


async def start_totp(call: Call) -> WebResponse:
    """Make a secret for an authenticator app; it counts once its first code was right."""
    if not _keeps(call, TOTP):
        return call.problem(Code.METHOD_NOT_ALLOWED)
    label = call.body(NewFactor).label or ""
    made = await factors.enrol_totp(call.core, call.context, label, call.request.token)
    return call.ok(
        {
            "id": made.factor_id,
            "secret": made.secret,
            "uri": made.uri,
            "qr": picture(made.uri),
            "expiresAt": zulu(made.expires_at),
        },
        201,
        ("location", f"{call.to.prefix}/factors/totp/{made.factor_id}"),
    )


async def confirm_totp(call: Call) -> WebResponse:
    """Judge the first code of a new secret."""
    if not _keeps(call, TOTP):
        return call.problem(Code.METHOD_NOT_ALLOWED)
    found = await factors.confirm_totp(call.core, call.context, call.parts["factor"], call.body(Confirmation).code)
    return _confirmed(call, found)


async def start_passkey(call: Call) -> WebResponse:
    """Begin a passkey's registration; it counts once the browser's answer was right."""
    if not _keeps(call, passkeys.PASSKEY):
        return call.problem(Code.METHOD_NOT_ALLOWED)
    label = call.body(NewFactor).label or ""
    made = await passkeys.enrol_passkey(call.core, call.context, label, call.request.token)
    return call.ok(
        {"id": made.factor_id, "options": dict(made.options), "expiresAt": zulu(made.expires_at)},
        201,
        ("location", f"{call.to.prefix}/factors/passkey/{made.factor_id}"),
    )


async def confirm_passkey(call: Call) -> WebResponse:
    """Judge the browser's answer to a registration."""
    if not _keeps(call, passkeys.PASSKEY):
        return call.problem(Code.METHOD_NOT_ALLOWED)
    answer = call.body(Registration).response
    return _confirmed(call, await passkeys.confirm_passkey(call.core, call.context, call.parts["factor"], answer))


def _confirmed(call: Call, found: Factor | Rejected) -> WebResponse:
    if isinstance(found, Rejected):
        left = found.attempts_left if found.code is Code.VERIFICATION_FAILED else None
        return call.problem(found.code, {"attemptsLeft": left})
    return call.ok({"factor": _document(call, found)})


async def new_recovery_codes(call: Call) -> WebResponse:
    """Replace the recovery codes, and tell the new ones, once."""
    if not _keeps(call, RECOVERY_CODE):
        return call.problem(Code.METHOD_NOT_ALLOWED)
    return call.ok({"codes": list(await factors.new_recovery_codes(call.core, call.context, call.request.token))}, 201)


async def rename(call: Call) -> WebResponse:
    """Give a factor that stepup keeps another label; that needs no step-up, and ends nothing."""
    if await factors.rename(call.core, call.context, call.parts["factor"], call.body(NewLabel).label):
        return response(204, b"", "application/json")
    return _not_found(call)


async def remove(call: Call) -> WebResponse:
    """Remove a factor that stepup keeps."""
    if await factors.remove(call.core, call.context, call.parts["factor"], call.request.token):
        return response(204, b"", "application/json")
    return _not_found(call)


def _not_found(call: Call) -> WebResponse:
    return call.to.voice.problem(call.request, Code.BAD_REQUEST, {"detail": "There is no such factor."}, status=404)


def picture(uri: str) -> dict[str, object] | None:
    """The QR code of *uri*, as the side of its square and the outline of its dark parts, for ``<path d=...>``.

    None without the extra ``qr``. It is drawn by the client, so that no page has to let pictures in from anywhere.
    """
    try:
        import segno
    except ModuleNotFoundError:
        return None
    try:
        rows = segno.make_qr(uri, error="m").matrix
    except segno.DataOverflowError:
        return None  # an address too long for any picture; the secret is text as well
    runs = [(start, y, end - start) for y, row in enumerate(rows) for start, end in _dark(bytes(row))]
    outline = "".join(f"M{x} {y}h{width}v1h-{width}z" for x, y, width in runs)
    return {"size": len(rows), "path": outline}


def _dark(row: bytes) -> list[tuple[int, int]]:
    """Where the dark runs of a row begin and end."""
    ringed = (0, *row, 0)
    edges = [x for x in range(len(row) + 1) if ringed[x] != ringed[x + 1]]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _keeps(call: Call, method: str) -> bool:
    """Whether the gate keeps factors of this method itself."""
    return isinstance(call.core.verifiers.get(method), factors.Makes | Registers)


def _document(call: Call, factor: Factor) -> dict[str, object]:
    now = call.core.now()
    return {
        "id": factor.id,
        "method": factor.method,
        "label": factor.label,
        "enrolledAt": zulu(factor.enrolled_at),
        "usable": factor.usable and not factor.in_quarantine(now),
        "quarantinedUntil": zulu(factor.quarantined_until) if factor.in_quarantine(now) else None,
        "removable": _keeps(call, factor.method),
    }
