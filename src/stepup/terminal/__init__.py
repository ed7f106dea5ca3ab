"""The ceremony for scripts: ``confirm`` asks a person at the terminal before damage is done.

::

    from stepup import Actor, Resource, terminal

    terminal.confirm(gate, "db.wipe", actor=Actor("ops-1"), resource=Resource("database", "prod"))
    wipe()                                    # reached only after a proof for exactly this

============= =========================================================================
here          ``confirm``, ``confirm_bundle``, and the device that a script's proofs are bound to
``_ceremony`` one challenge, from what is shown to the last answer; ``Cancelled``
``_console``  the terminal this process was started from; ``Terminal``, for your own
``_words``    what is said: the challenge, the methods, why not and what helps
============= =========================================================================

The person sees the challenge itself, not what the script says about it. Everything goes to the terminal device,
so pipes on standard output stay clean; secrets are read without echo or not at all.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import socket
from collections.abc import Callable, Sequence
from typing import TypeVar

from stepup._bridge import is_async
from stepup._sync import StepUp
from stepup.bundle import Item
from stepup.challenge import Challenge
from stepup.context import Actor, Context, Device, Resource
from stepup.decision import Authorization
from stepup.errors import Code, DeliveryFailed, Denied, InvalidInput, NotInteractive, StepUpRequired, WrongColour
from stepup.policy import Params
from stepup.surface import Surface

from ._ceremony import PATIENCE, Ceremony
from ._ceremony import Cancelled as Cancelled
from ._console import Console as Console
from ._console import Terminal as Terminal
from ._words import ELSEWHERE, ended, why_not

T = TypeVar("T")

__all__ = ["Cancelled", "Console", "Terminal", "confirm", "confirm_bundle", "this_machine"]


def confirm(
    gate: StepUp,
    action: str,
    *,
    actor: Actor,
    resource: Resource | None = None,
    params: Params | None = None,
    organization: str | None = None,
    reason: str | None = None,
    terminal: Terminal | None = None,
    wait: float = PATIENCE,
) -> Authorization:
    """Return once *actor* has proved at the terminal that this very call may run, or raise.

    Call it as close to the damage as possible; it is worth one call. Where nothing needs to be proved it returns
    at once. A script has no session, so no login is ever fresh and the grant is never found by a later run,
    unless the action leaves ``"session"`` out of its ``binds``. The device bound is ``this_machine()``.

    Args:
        gate: a sync gate. Its store should outlive the process, or every run starts with fresh attempt limits.
        action: the id of a registered action.
        actor: who must prove it. Take the id from the script's own configuration, not from its arguments.
        resource: what the action is done to.
        params: the data that matter; shown to the person, and bound.
        organization: bound, where the product has organizations.
        reason: why, in the person's own words; for the audit.
        terminal: where to ask; the controlling terminal of this process by default.
        wait: seconds to wait for the approval of others, where the action names it. A request that nobody has decided
            by then stays, and the same call finds it again.

    Raises:
        Cancelled: the person left: an empty answer, ``q`` where methods are offered, Ctrl-C, Ctrl-D.
        Denied: nothing that can be proved here opens it; the person was told why and what helps.
        NotInteractive: proof is needed and nobody can give it: a pipe, a job, no terminal. No challenge was opened.
        WrongColour: for an ``AsyncStepUp``.
        UnknownAction: for an action nobody registered.
        InvalidInput: for a value of the wrong type or size.
        DeliveryFailed: the code could not be sent, and there is no other method.
        StoreUnavailable: the outcome is not known; treat it as refused.
    """
    _require_sync(gate)
    context = _context(actor, organization)

    def require(token: str | None) -> Authorization:
        return gate.require(action, context, resource=resource, params=params, token=token)

    def start() -> Challenge:
        return gate.start(action, context, resource=resource, params=params, reason=reason)

    return _confirmed(gate, require, start, context, terminal, wait)


def confirm_bundle(
    gate: StepUp,
    items: Sequence[Item],
    *,
    actor: Actor,
    organization: str | None = None,
    reason: str | None = None,
    terminal: Terminal | None = None,
    wait: float = PATIENCE,
) -> tuple[Authorization, ...]:
    """As ``confirm``, for several calls by one proof: all of them are let pass, each once, or none.

    The person is shown every item. At most 32, and none twice.

    Raises:
        As ``confirm``, and InvalidInput for something that is no bundle.
    """
    _require_sync(gate)
    context = _context(actor, organization)
    listed = tuple(items)

    def require(token: str | None) -> tuple[Authorization, ...]:
        return gate.require_bundle(listed, context, token=token)

    def start() -> Challenge:
        return gate.start_bundle(listed, context, reason=reason)

    return _confirmed(gate, require, start, context, terminal, wait)


def _confirmed(
    gate: StepUp,
    require: Callable[[str | None], T],
    start: Callable[[], Challenge],
    context: Context,
    terminal: Terminal | None,
    wait: float,
) -> T:
    """What *require* gives: without proof if it can be had, else with the token of the challenge that *start* opens."""
    try:
        return require(None)
    except Denied as denied:
        with contextlib.suppress(NotInteractive):
            _tell(Console() if terminal is None else terminal, gate, denied)
        raise
    except StepUpRequired as error:
        needed = error.decision
    screen: Terminal = Console() if terminal is None else terminal
    try:
        if ELSEWHERE.issuperset(needed.methods):
            raise Denied(ended(needed.action, needed.level, Code.NO_USABLE_METHOD, "not_at_a_terminal"))
        verified = Ceremony(gate, start(), context, screen, wait).run()
    except (Denied, DeliveryFailed) as error:
        _tell(screen, gate, error)
        raise
    return require(verified.token)


def this_machine() -> Device:
    """The device that a script's proofs are bound to: this host and the user that runs the script.

    The fingerprint is the same for every script of that user on this host. It is no secret and no evidence:
    whoever may run programs here can have it.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "somebody"
    host = socket.gethostname()
    digest = hashlib.sha256(f"stepup.terminal\0{host}\0{user}".encode(errors="backslashreplace")).hexdigest()
    return Device(f"terminal:{digest[:32]}", label=f"{user} at {host} (terminal)")


def _context(actor: Actor, organization: str | None) -> Context:
    return Context(actor, device=this_machine(), organization=organization, surface=Surface.SCRIPT)


def _require_sync(gate: object) -> None:
    if isinstance(gate, StepUp):
        return
    if is_async(getattr(gate, "require", None)):
        raise WrongColour(
            f"terminal.confirm() was given an {type(gate).__name__}.",
            remedy="A script waits for its person anyway: make a StepUp over a sync store.",
        )
    raise InvalidInput("gate", f"must be a StepUp, not {type(gate).__name__}")


def _tell(screen: Terminal, gate: StepUp, error: Denied | DeliveryFailed) -> None:
    with contextlib.suppress(EOFError):
        screen.say(why_not(error, gate.core.now()))
