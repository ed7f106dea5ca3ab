"""``ScriptedVerifier``: a verifier that does as it is told, for tests of what stands around verifiers.

::

    scripted = ScriptedVerifier("passkey", strength=Strength.PASSKEY, answer="touch")
    gate = StepUp(..., verifiers=[scripted])
    gate.verify(challenge.id, "passkey", "touch", context)      # Verified
    scripted.raising = RuntimeError("the backend is down")      # from now on it raises
    assert scripted.calls == 1

It is a plain sync ``Verifier``: the sync face calls it in place, the async face in a worker thread.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from stepup.challenge import Challenge
from stepup.context import Actor, Proof
from stepup.factor import Factor
from stepup.ports import REJECTED, Begun, Ceremony, Checked, Prompt, State, Verdict
from stepup.requirement import Strength


class ScriptedVerifier:
    """Accepts one exact response; counts calls. Thread-safe.

    Args:
        method: its name.
        strength: of its factor and its proofs.
        answer: the only response accepted, compared with its type: ``1`` is not ``True``.
        factors: what ``enrolled`` answers; one factor named like the method without it.
        amr, points, prepares, phishing_resistant: as in ``ports.Verifier``.
        claim: the name an accepted answer claims; none without it.

    Attributes:
        calls: how often ``check`` ran.
        begun: how often ``begin`` ran.
        rejecting: set it to refuse the right answer too.
        raising: set it to have ``check`` raise that.
        delivered: how often a delivery ran, where it prepares.
    """

    def __init__(
        self,
        method: str = "scripted",
        *,
        strength: int = Strength.PASSWORD,
        answer: object = "right",
        factors: Sequence[Factor] | None = None,
        amr: Sequence[str] = ("user",),
        points: int = 0,
        prepares: bool = False,
        phishing_resistant: bool = False,
        claim: str | None = None,
    ) -> None:
        self.method = method
        self.strength = strength
        self.amr = tuple(amr)
        self.points = points
        self.prepares = prepares
        self.phishing_resistant = phishing_resistant
        self.factors = tuple(factors) if factors is not None else (Factor(method, method),)
        self.rejecting = False
        self.raising: BaseException | None = None
        self._answer = answer
        self._claim = claim
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    @property
    def calls(self) -> int:
        """How often ``check`` ran."""
        return self._count("check")

    @property
    def begun(self) -> int:
        """How often ``begin`` ran."""
        return self._count("begin")

    @property
    def delivered(self) -> int:
        """How often what ``begin`` prepared was delivered."""
        return self._count("deliver")

    def enrolled(self, actor: Actor, /) -> Sequence[Factor]:  # noqa: ARG002 -- the port's signature
        """The factors it was made with, for everybody."""
        return self.factors

    def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:  # noqa: ARG002 -- the port's signature
        """Leaves a state, and something to deliver, where it prepares."""
        self._tick("begin")
        state: Mapping[str, str | int | bool] = {"begun": challenge.id} if self.prepares else {}
        return Begun(Prompt(self.method), state, self._deliver if self.prepares else None)

    def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        """Judge *response* as told."""
        self._tick("check")
        if self.raising is not None:
            raise self.raising
        if self.rejecting or type(response) is not type(self._answer) or response != self._answer:
            return REJECTED
        if self.prepares and (state is None or state.get("begun") != context.challenge.id):
            return REJECTED
        ref = next(iter(context.factors), None)
        if ref is None:
            return REJECTED
        proof = Proof(
            self.method, context.now, self.amr, factor_id=ref.id, strength=self.strength, stands_for=ref.stands_for
        )
        return Checked(Verdict.ACCEPTED, proof, claims=(self._claim,) if self._claim else ())

    def _deliver(self) -> None:
        self._tick("deliver")

    def _tick(self, what: str) -> None:
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + 1

    def _count(self, what: str) -> int:
        with self._lock:
            return self._counts.get(what, 0)

    def __repr__(self) -> str:
        return f"ScriptedVerifier({self.method!r}, calls={self.calls})"
