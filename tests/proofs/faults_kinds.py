"""What can go wrong in one store call: ``FAULTS``. ``faults_injected`` is the store that does it.

======================== ========= ===============================================================
kind                     real call what the caller gets
======================== ========= ===============================================================
``error before``         no        an exception: the store, the driver, a timeout, an interruption
``error after``          yes       the same: the reply is lost
``wrong answer``         no, yes   anything that is not what the contract allows
``conflict``             no, yes   ``Lost``, which is allowed, also where it is not true
``lie``                  yes       a load that is well formed and false: nothing there, or as it was before
======================== ========= ===============================================================

"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from stepup.changes import (
    APPLIED,
    FENCE,
    Applied,
    Changes,
    Epoch,
    Fence,
    Key,
    Lost,
    Partition,
    Record,
)
from stepup.errors import StoreUnavailable

LOAD, APPLY, EVENTS, PURGE = "load", "apply", "events", "purge"
EVERY: Final = frozenset({LOAD, APPLY, EVENTS, PURGE})


class Interrupted(BaseException):
    """What a server does to a request that it gives up: no ``Exception``, and nobody's to catch."""


@dataclass(frozen=True)
class Shot:
    """One store call, as a fault sees it: its arguments, what it really answered (where it was made), the past.

    ``before`` is each record as it was before it was last written, ``last`` what the last batch had found.
    """

    method: str
    partition: Partition = ""
    keys: Sequence[Key] = ()
    changes: Changes | None = None
    real: Any = None
    before: Mapping[tuple[Partition, Key], Record | None] = field(default_factory=dict)
    last: Mapping[tuple[Partition, Key], Record | None] = field(default_factory=dict)


Answer = Callable[[Shot], object]


@dataclass(frozen=True)
class Fault:
    """What goes wrong: at which methods, whether the call takes effect, and what is raised or answered.

    ``fits`` says whether it can be told from a healthy call there; ``false`` that a load is well formed and a lie.
    """

    name: str
    methods: frozenset[str]
    acts: bool
    raising: Callable[[], BaseException] | None = None
    answer: Answer | None = None
    fits: Callable[[Shot], bool] = lambda _: True
    false: bool = False

    def __str__(self) -> str:
        return self.name


# -- what can be raised -----------------------------------------------------------


ERRORS: Final[Mapping[str, Callable[[], BaseException]]] = {
    "store unavailable": lambda: StoreUnavailable("The database did not answer."),
    "driver error": lambda: RuntimeError("connection reset by peer"),
    "timeout": lambda: TimeoutError("timed out"),
    "type error": lambda: TypeError("not a row"),
    "out of memory": lambda: MemoryError(),
    "stop iteration": lambda: StopIteration(APPLIED),
    "interruption": lambda: Interrupted(),
}


def _errors() -> Iterator[Fault]:
    for name, raising in ERRORS.items():
        yield Fault(f"{name} before the call", EVERY, acts=False, raising=raising)
        yield Fault(f"{name} after the commit", EVERY, acts=True, raising=raising)


# -- what can be answered ----------------------------------------------------------


class Truthy:
    """Says yes to everything."""

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class LookAlike:
    """Shows itself as something it is not."""

    def __init__(self, shown: str, **values: object) -> None:
        self._shown = shown
        self.__dict__.update(values)

    def __repr__(self) -> str:
        return self._shown


PENDING: Final[list[Any]] = []
"""Coroutines handed out as answers; whoever runs the points closes them."""


def _coroutine(shot: Shot) -> object:
    async def answer() -> object:
        return APPLIED if shot.method == APPLY else shot.real

    made = answer()
    PENDING.append(made)
    return made


ANYTHING: Final[Mapping[str, Answer]] = {
    "None": lambda _: None,
    "True": lambda _: True,
    "False": lambda _: False,
    "0": lambda _: 0,
    "1": lambda _: 1,
    "a text": lambda _: "APPLIED",
    "an object": lambda _: object(),
    "a truthy object": lambda _: Truthy(),
    "a coroutine": _coroutine,
    "an exception": lambda _: StoreUnavailable("returned, not raised"),
    "a mapping": lambda _: {"applied": True},
}

INSTEAD_OF_APPLIED: Final[Mapping[str, Answer]] = {
    "the class Applied": lambda _: Applied,
    "another Applied": lambda _: Applied(),
    "an Applied look-alike": lambda _: LookAlike("APPLIED"),
    "the class Lost": lambda _: Lost,
    "a Lost look-alike": lambda _: LookAlike("Lost(key=None)", key=None),
    "Lost of a text": lambda _: Lost(cast(Any, "claim")),
    "Lost of a pair": lambda _: Lost(cast(Any, ("claim", "grant"))),
    "a list of APPLIED": lambda _: [APPLIED],
    "a record": lambda _: Record(Key("claim", "x"), Epoch(), 1),
}


def _listed(shot: Shot) -> list[Record | None]:
    return list(shot.real)


def _altered(change: Callable[[Record], object]) -> Answer:
    return lambda shot: [None if one is None else change(one) for one in _listed(shot)]


def _some(shot: Shot) -> bool:
    return any(one is not None for one in _listed(shot))


def _several(shot: Shot) -> bool:
    return len({id(one) for one in _listed(shot)}) > 1


def _other_kind(record: Record) -> Record:
    return replace(record, value=Fence() if isinstance(record.value, Epoch) else Epoch())


INSTEAD_OF_RECORDS: Final[Mapping[str, tuple[Answer, Callable[[Shot], bool]]]] = {
    "an empty list": (lambda _: [], lambda _: True),
    "one too many": (lambda shot: [*_listed(shot), None], lambda _: True),
    "one too few": (lambda shot: _listed(shot)[:-1], lambda shot: len(shot.keys) > 1),
    "a generator": (lambda shot: (one for one in _listed(shot)), lambda _: True),
    "records by key": (lambda shot: dict(zip(shot.keys, _listed(shot), strict=True)), lambda _: True),
    "a text of that length": (lambda shot: "x" * len(shot.keys), lambda _: True),
    "True for each": (lambda shot: [True] * len(shot.keys), lambda _: True),
    "truthy objects": (lambda shot: [Truthy() for _ in shot.keys], lambda _: True),
    "an error for each": (lambda shot: [StoreUnavailable("x") for _ in shot.keys], lambda _: True),
    "coroutines": (lambda shot: [_coroutine(shot) for _ in shot.keys], lambda _: True),
    "in another order": (lambda shot: [*_listed(shot)[1:], _listed(shot)[0]], _several),
    "under another key": (_altered(lambda one: replace(one, key=Key("epoch", "other"))), _some),
    "under a look-alike key": (_altered(lambda one: replace(one, key=cast(Any, Truthy()))), _some),
    "version 0": (_altered(lambda one: replace(one, version=0)), _some),
    "version -1": (_altered(lambda one: replace(one, version=-1)), _some),
    "version None": (_altered(lambda one: replace(one, version=cast(Any, None))), _some),
    "version in text": (_altered(lambda one: replace(one, version=cast(Any, str(one.version)))), _some),
    "values of another kind": (_altered(_other_kind), _some),
    "values of no kind": (_altered(lambda one: replace(one, value=cast(Any, None))), _some),
    "truthy values": (_altered(lambda one: replace(one, value=cast(Any, Truthy()))), _some),
    "values alone": (_altered(lambda one: one.value), _some),
    "plain tuples": (_altered(lambda one: (one.key, one.value, one.version)), _some),
}


def _wrong_answers() -> Iterator[Fault]:
    for name, answer in {**ANYTHING, **INSTEAD_OF_APPLIED}.items():
        yield Fault(f"{name}, nothing written", frozenset({APPLY}), acts=False, answer=answer)
        yield Fault(f"{name}, written", frozenset({APPLY}), acts=True, answer=answer)
    for name, answer in ANYTHING.items():
        yield Fault(f"{name} in place of an answer", frozenset({LOAD, EVENTS, PURGE}), acts=True, answer=answer)
    for name, (answer, fits) in INSTEAD_OF_RECORDS.items():
        yield Fault(f"{name} in place of records", frozenset({LOAD}), acts=True, answer=answer, fits=fits)


# -- answers that are allowed, and lies ----------------------------------------------


def _lost(choose: Callable[[Changes], Key | None]) -> Answer:
    return lambda shot: Lost(choose(cast(Changes, shot.changes)))


def _has_put(shot: Shot) -> bool:
    return bool(cast(Changes, shot.changes).puts)


def _has_check(shot: Shot) -> bool:
    return bool(cast(Changes, shot.changes).checks)


CONFLICTS: Final[Mapping[str, tuple[Answer, Callable[[Shot], bool]]]] = {
    "a conflict": (_lost(lambda _: None), lambda _: True),
    "lost on its first put": (_lost(lambda changes: changes.puts[0].key), _has_put),
    "lost on its last put": (_lost(lambda changes: changes.puts[-1].key), _has_put),
    "lost on its first check": (_lost(lambda changes: changes.checks[0].key), _has_check),
    "lost on the fence": (_lost(lambda _: FENCE), lambda _: True),
    "lost on a claim of nobody's": (_lost(lambda _: Key("claim", "grant:nobody")), lambda _: True),
}


def _as_before(shot: Shot) -> object:
    """Each record as it was before it was last written: a cache that is never told."""
    return [
        one if one is None or key == FENCE else shot.before.get((shot.partition, key), one)
        for key, one in zip(shot.keys, _listed(shot), strict=True)
    ]


def _lagging(shot: Shot) -> object:
    """Everything as it was before the last batch: a replica that lags."""
    return [shot.last.get((shot.partition, key), one) for key, one in zip(shot.keys, _listed(shot), strict=True)]


def _conflicts_and_lies() -> Iterator[Fault]:
    for name, (answer, fits) in CONFLICTS.items():
        yield Fault(f"{name}, nothing written", frozenset({APPLY}), acts=False, answer=answer, fits=fits)
        yield Fault(f"{name}, written", frozenset({APPLY}), acts=True, answer=answer, fits=fits)
    loads = frozenset({LOAD})
    nothing: Answer = lambda shot: [None] * len(shot.keys)  # noqa: E731 -- one of two, named for the table
    yield Fault("nothing there", loads, acts=True, answer=nothing, fits=_some, false=True)
    yield Fault("as it was before", loads, acts=True, answer=_as_before, fits=_some, false=True)
    yield Fault("as it was a batch ago", loads, acts=True, answer=_lagging, fits=_some, false=True)


OUTCOMES: Final = (*_errors(), *_conflicts_and_lies())
FAULTS: Final = (*OUTCOMES, *_wrong_answers())
SETS: Final[Mapping[str, Sequence[Fault]]] = {"all": FAULTS, "outcomes": OUTCOMES}
"""``all`` of them; the ``outcomes`` that depend on what a store really does, for those that are slow."""
