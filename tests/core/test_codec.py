"""Values as text: exact both ways, strict in reading, silent about what they hold, and fit for a rolling deploy."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup import codec
from stepup.challenge import Preparation, State
from stepup.changes import Epoch, Fence, Value
from stepup.codec import (
    FORMAT,
    READS,
    _Codec,
    decode,
    decode_detail,
    decode_event,
    decode_snapshot,
    encode,
    encode_detail,
    encode_event,
    encode_snapshot,
)
from stepup.errors import ContractBroken, InvalidInput
from stepup.event import Event
from stepup.factor import Factor, FactorSet, Roster, StoredFactor
from stepup.grant import Claim, Shelf, Spend
from stepup.policy import Action, Policy, Risk
from stepup.registry import Registry
from stepup.requirement import all_of, method
from stepup.testing import _store_samples as samples
from stepup.testing._store_bench import NOW, difference
from stepup.throttle import Count, Guess, OpenChallenge, Send, Throttle

VECTORS = Path(__file__).parents[1].joinpath("vectors", "records.json")
GOLDEN: dict[str, Any] = json.loads(VECTORS.read_text("utf-8"))["formats"] if VECTORS.exists() else {}
CANARY = "canary-7f3a"
SMALL_EVENT = replace(samples.EVENT, snapshot={"methods": ["totp", samples.TEXT], "policy": {"uses": 1, "group": None}})

VALUES: Mapping[str, Value] = {
    "fence": Fence(),
    **{type(record.value).__name__: record.value for record in samples.SAMPLES},
    **{f"{type(record.value).__name__}, blank": record.value for record in samples.BLANKS},
}
every_value = pytest.mark.parametrize("value", [*VALUES.values(), samples.LARGE], ids=[*VALUES, "large"])

# -- there and back -------------------------------------------------------------------


@every_value
def test_every_value_reads_back_as_it_was(value: Value) -> None:
    """What is read equals what was written, types and all, from text and from bytes."""
    text = encode(value)

    assert difference(decode(text), value) is None
    assert difference(decode(text.encode()), value) is None


@pytest.mark.parametrize("event", [samples.EVENT, SMALL_EVENT, replace(samples.EVENT, detail={}, snapshot=None)])
def test_every_event_reads_back_as_it_was(event: Event) -> None:
    """An event is the same, and so are its detail and snapshot where a store keeps them apart."""
    assert difference(decode_event(encode_event(event)), event) is None
    assert difference(decode_detail(encode_detail(event.detail)), event.detail) is None
    assert difference(decode_snapshot(encode_snapshot(event.snapshot)), event.snapshot) is None


def test_no_snapshot_is_none_and_not_a_text() -> None:
    """None stays None in both directions, and an empty snapshot is another thing."""
    assert (encode_snapshot(None), decode_snapshot(None)) == (None, None)
    assert (encode_snapshot({}), decode_snapshot("{}")) == ("{}", {})


def test_the_snapshot_of_real_rules_is_stored() -> None:
    """What a registry puts into its events is plain JSON."""
    action = Action(
        "payout.create",
        "Send a payout",
        risk=Risk.HIGH,
        policy=Policy(methods=all_of(method("totp", max_age=60), "password")),
    )
    rules = Registry([action], methods={"totp": 30, "password": 20}, assessed=False).rules(action.id, Risk.HIGH)

    assert decode_snapshot(encode_snapshot(rules.snapshot)) == rules.snapshot


def test_times_are_utc_itself() -> None:
    """A time that is read is in ``datetime.UTC``, one that is written from another zone means the same moment."""
    east = NOW.astimezone(timezone(timedelta(hours=2)))

    read = decode(encode(Claim(east)))

    assert encode(Claim(east)) == encode(Claim(NOW))
    assert isinstance(read, Claim)
    assert (read.at, read.at.tzinfo) == (NOW, UTC)


def test_the_same_value_is_the_same_text() -> None:
    """The order in which a mapping was filled does not show, at any depth, nor does its class."""
    one = Throttle(counts={"a": Count(1), "b": Count(2)})
    two = Throttle(counts=types.MappingProxyType({"b": Count(2), "a": Count(1)}))

    assert one == two
    assert encode(one) == encode(two)
    assert encode_detail({"b": 1, "a": None}) == '{"a":null,"b":1}'
    assert encode_snapshot({"b": [{"d": 1, "c": 2.5}], "a": "x"}) == '{"a":"x","b":[{"c":2.5,"d":1}]}'


def test_control_characters_are_escaped() -> None:
    """A NUL, which databases refuse in text, is never in one; nor is any other control character."""
    hard = "".join(map(chr, range(32)))
    event = replace(SMALL_EVENT, reason=hard, detail={hard: hard}, snapshot={hard: [hard]})

    texts = [encode(Claim(NOW, hard)), encode_event(event)]

    assert [min(text) >= " " for text in texts] == [True, True]
    assert decode(texts[0]) == Claim(NOW, hard)
    assert decode_event(texts[1]) == event


def test_every_type_of_value_has_a_name() -> None:
    """A type that is added to ``Value`` is added to the codec, under a name of its own."""
    assert set(codec._TYPES.values()) == set(get_args(Value))
    assert len(codec._TYPES) == len(get_args(Value))


def test_pydantic_is_loaded_with_the_first_value_only() -> None:
    """Importing the module costs nothing."""
    code = (
        "import stepup.codec as c, sys; assert not {'pydantic', 'pydantic_core'} & {*sys.modules}; c.encode_detail({})"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


TIMES = st.datetimes(timezones=st.just(UTC))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WHOLE = st.integers(-(2**53), 2**53)
JSON = st.recursive(
    TEXTS | WHOLE | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, max_size=3).map(tuple)


ANY_VALUE: st.SearchStrategy[Value] = st.one_of(
    st.builds(Claim, TIMES, st.none() | TEXTS),
    st.builds(Spend, st.none() | WHOLE, st.booleans(), tuples(TEXTS)),
    st.builds(
        Throttle,
        tuples(st.builds(OpenChallenge, TEXTS, TEXTS, TIMES)),
        st.none() | st.tuples(TIMES, WHOLE),
        tuples(st.builds(Send, TEXTS, TEXTS, TIMES)),
        tuples(st.builds(Guess, TEXTS, tuples(TEXTS), TIMES, WHOLE)),
        st.dictionaries(TEXTS, st.builds(Count, WHOLE, WHOLE, st.none() | TIMES, st.none() | TIMES), max_size=3),
    ),
    st.builds(
        FactorSet,
        tuples(
            st.builds(StoredFactor, TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS | WHOLE | tuples(TEXTS), max_size=3))
        ),
    ),
)


@given(ANY_VALUE)
def test_any_value_reads_back_as_it_was(value: Value) -> None:
    """Whatever the texts, numbers and times are."""
    assert difference(decode(encode(value)), value) is None


@given(st.dictionaries(TEXTS, TEXTS | WHOLE | st.booleans() | st.none()), st.dictionaries(TEXTS, JSON, max_size=4))
def test_any_detail_and_snapshot_read_back_as_they_were(detail: Any, snapshot: Any) -> None:
    """Truth values stay truth values, and floats floats."""
    event = replace(SMALL_EVENT, detail=detail, snapshot=snapshot)

    assert difference(decode_event(encode_event(event)), event) is None
    assert difference(decode_detail(encode_detail(detail)), detail) is None
    assert difference(decode_snapshot(encode_snapshot(snapshot)), snapshot) is None


# -- golden: what is in the databases ----------------------------------------------------


NEWEST = [
    _Codec(kinds, max(READS), READS, codec._UPGRADES, codec._DOWNGRADES) for kinds in (codec._TYPES, {"event": Event})
]
"""What writes the newest format that is read, which this release may not write yet: values, and events."""


def words(hint: Any) -> str:
    """A type, spelled the same by every Python."""
    if hint is ...:
        return "..."
    origin, parts = get_origin(hint), [words(part) for part in get_args(hint)]
    if origin in {Union, types.UnionType}:
        return " | ".join(parts)
    name = "None" if hint is type(None) else cast("type", origin or hint).__name__
    return f"{name}[{', '.join(parts)}]" if parts else name


def default(one: Field[Any]) -> str:
    if one.default_factory is not MISSING:
        return f" = {one.default_factory()!r}"
    return "" if one.default is MISSING else f" = {one.default!r}"


def within(hint: Any) -> Iterator[type]:
    """The dataclasses and enums in a type, and in their fields."""
    for part in get_args(hint):
        yield from within(part)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield hint
    elif is_dataclass(hint):
        yield cast("type", hint)
        for part in get_type_hints(hint).values():
            yield from within(part)


def shape(kind: type) -> list[str]:
    """Every field with its type and default, or every member."""
    if issubclass(kind, enum.Enum):
        return [str(member.value) for member in kind]
    hints = get_type_hints(kind)
    return [f"{one.name}: {words(hints[one.name])}{default(one)}" for one in fields(cast("Any", kind))]


def section() -> dict[str, Any]:
    """What the golden file holds for the newest format that is read."""
    kinds = {one.__name__: one for hint in (*get_args(Value), Event) for one in within(hint)}
    return {
        "shapes": {name: shape(kinds[name]) for name in sorted(kinds)},
        "values": {name: NEWEST[0].encode(value) for name, value in VALUES.items()},
        "event": NEWEST[1].encode(SMALL_EVENT),
    }


CHANGED = f"""
What is stored has another shape than texts of format {max(READS)}: releases that run side by side could not read each
other.

1. In this release: give codec.READS the next number beside those it has, and codec._UPGRADES and _DOWNGRADES the steps
   between the two formats. Leave FORMAT as it is. Add the new format to tests/vectors/records.json
   (`python tests/core/test_codec.py` prints its section); the sections of the others stay as they are.
2. In the next release: set FORMAT to that number.

Before the first release of stepup there is nothing to read: replace the section instead.
"""


def test_a_stored_type_does_not_change_unnoticed() -> None:
    """A field that is added, renamed, retyped or given another default is a new format."""
    assert section()["shapes"] == GOLDEN[str(max(READS))]["shapes"], CHANGED


@pytest.mark.parametrize("name", VALUES)
def test_the_text_of_a_value_is_what_it_always_was(name: str) -> None:
    """To the letter, so that no release writes what another one does not expect."""
    text = GOLDEN[str(max(READS))]["values"][name]

    assert NEWEST[0].encode(VALUES[name]) == text
    assert difference(decode(text), VALUES[name]) is None


def test_the_text_of_an_event_is_what_it_always_was() -> None:
    """To the letter."""
    text = GOLDEN[str(max(READS))]["event"]

    assert NEWEST[1].encode(SMALL_EVENT) == text
    assert difference(decode_event(text), SMALL_EVENT) is None


@pytest.mark.parametrize("number", sorted(READS))
def test_texts_of_every_format_that_is_read_are_read(number: int) -> None:
    """What is in databases is read for as long as its format is, and is of the type it was."""
    texts: dict[str, str] = GOLDEN[str(number)]["values"]

    assert {json.loads(text)["format"] for text in texts.values()} == {number}
    assert {type(decode(text)) for text in texts.values()} == set(get_args(Value))
    assert isinstance(decode_event(GOLDEN[str(number)]["event"]), Event)


def test_what_is_written_is_read() -> None:
    """A release reads its own format, and writes none that it does not know."""
    assert FORMAT in READS
    assert json.loads(encode(Epoch())) == {"format": FORMAT, "type": "epoch", "value": {}}


# -- strict in reading --------------------------------------------------------------------

AT = '"at":"2020-02-29T12:00:00.123456Z"'
SPEND = '{"remaining":1,"revoked":false,"requests":["x"]}'


def text_of(value: str, kind: str = "claim", number: object = 1) -> str:
    return f'{{"format":{json.dumps(number)},"type":"{kind}","value":{value}}}'


def factors(data: str) -> str:
    return text_of(f'{{"factors":[{{"id":"a","method":"totp","data":{data}}}]}}', "factor_set")


def test_the_table_below_is_about_texts_that_are_nearly_right() -> None:
    """Without the mistake each of them is read."""
    assert decode(text_of(f"{{{AT}}}")) == Claim(NOW)
    assert decode(text_of(SPEND, "spend")) == Spend(1, requests=("x",))
    assert decode(factors('{"a":1,"b":"1","c":["1"]}')) == FactorSet(
        (StoredFactor("a", "totp", {"a": 1, "b": "1", "c": ("1",)}),)
    )
    assert decode(f' {{ "value" : {{ {AT} }} , "type" : "claim" , "format" : 1 }}\n') == Claim(NOW)


@pytest.mark.parametrize(
    "text",
    [
        # the envelope
        "",
        "null",
        "[]",
        '"claim"',
        "{}",
        f"{{{AT}}}",
        text_of(f"{{{AT}}}") + "x",
        text_of(f"{{{AT}}}")[:-1],
        f'{{"type":"claim","value":{{{AT}}}}}',
        f'{{"format":1,"value":{{{AT}}}}}',
        '{"format":1,"type":"claim"}',
        f'{{"format":1,"type":"claim","value":{{{AT}}},"more":1}}',
        text_of(f"{{{AT}}}", number=2),
        text_of(f"{{{AT}}}", number=0),
        text_of(f"{{{AT}}}", number=-1),
        text_of(f"{{{AT}}}", number=True),
        text_of(f"{{{AT}}}", number=1.0),
        text_of(f"{{{AT}}}", number="1"),
        text_of(f"{{{AT}}}", number=None),
        text_of(f"{{{AT}}}", "spend"),
        text_of(f"{{{AT}}}", "Claim"),
        text_of(f"{{{AT}}}", "event"),
        text_of(f"{{{AT}}}", "grant"),
        text_of("null"),
        text_of("[]"),
        text_of(f"[{{{AT}}}]"),
        # fields
        text_of("{}"),
        text_of('{"request":"x"}'),
        text_of(f'{{{AT},"only_once":true}}'),
        text_of('{"more":1}', "epoch"),
        text_of('{"remaining":true}', "spend"),
        text_of('{"remaining":1.0}', "spend"),
        text_of('{"remaining":"1"}', "spend"),
        text_of('{"remaining":1,"revoked":0}', "spend"),
        text_of('{"remaining":1,"revoked":"false"}', "spend"),
        text_of('{"remaining":1,"revoked":null}', "spend"),
        text_of('{"remaining":1,"requests":"x"}', "spend"),
        text_of('{"remaining":1,"requests":[1]}', "spend"),
        text_of('{"remaining":1,"requests":{"0":"x"}}', "spend"),
        text_of('{"epochs":[1],"fence":1}', "shelf"),
        text_of('{"epochs":[1,2,3],"fence":1}', "shelf"),
        text_of('{"epochs":[1,true],"fence":1}', "shelf"),
        encode(samples.CHALLENGE).replace('"state":"cancelled"', '"state":"CANCELLED"'),
        encode(samples.CHALLENGE).replace('"state":"cancelled"', '"state":"done"'),
        encode(samples.CHALLENGE).replace('"user_verified":true', '"user_verified":true,"more":1'),
        encode(samples.CHALLENGE).replace('"method":"recovery_code"', '"method":""'),
        encode(samples.ROSTER_VALUE).replace('"material":null', '"material":"secret"'),
        # unions
        factors('{"a":true}'),
        factors('{"a":null}'),
        factors('{"a":1.5}'),
        factors('{"a":[1]}'),
        factors('{"a":{}}'),
        factors("[]"),
        # times
        *(
            text_of(f'{{"at":{json.dumps(at)}}}')
            for at in (
                1582977600, None, "", "1582977600", "2020-02-29", "2020-02-29T12:00:00", "2020-02-29T12:00:00+00:00",
                "2020-02-29T14:00:00+02:00", "2020-02-29 12:00:00Z", "2020-02-29T12:00:00z", "2020-02-29T12:00:00.1Z",
                "2020-02-29T12:00:00.1234567Z", "2020-02-30T12:00:00Z", "2020-W09-6T12:00:00Z",
                "2020-02-29T12:00:00Z\n",
            )
        ),
        # what is not JSON, though some readers take it
        text_of('{"remaining":NaN}', "spend"),
        text_of('{"remaining":Infinity}', "spend"),
        text_of('{"remaining":1,}', "spend"),
        text_of(f'{{{AT},"request":"\\ud800"}}'),
        text_of(f'{{{AT},"request":"\ud800"}}'),
        text_of(f'{{{AT},"request":"\x00"}}'),
        "[" * 100_000,
        text_of(f'{{"remaining":{"9" * 5000}}}', "spend"),
    ],
    ids=lambda text: text[:80],
)  # fmt: skip
def test_what_is_not_exactly_a_value_is_refused(text: str) -> None:
    """Nothing is skipped, filled in or converted: a record that is not understood is not acted on."""
    with pytest.raises(ContractBroken):
        decode(text)
    with pytest.raises(ContractBroken):
        decode(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("given_", [None, 1, {}, [], object(), b"\xff", b"\xef\xbb\xbf{}", "{}".encode("utf-16")])
def test_what_is_no_text_is_refused(given_: Any) -> None:
    """A driver that answers something else is refused like a wrong text."""
    for read in (decode, decode_event, decode_detail, *([decode_snapshot] if given_ is not None else [])):
        with pytest.raises(ContractBroken):
            read(given_)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (decode_event, encode(Epoch())),
        (decode_event, encode_event(SMALL_EVENT).replace('"type":"authorization"', '"type":"other"')),
        (decode_event, encode_event(SMALL_EVENT).replace('"risk_score":77', '"risk_score":77.0')),
        (decode_event, encode_event(SMALL_EVENT).replace('"uses":1', '"uses":NaN')),
        (decode_event, encode_event(SMALL_EVENT).replace('"uses":1', '"uses":1e400')),
        (decode, encode_event(SMALL_EVENT)),
        (decode_detail, '{"a":1.0}'),
        (decode_detail, '{"a":[]}'),
        (decode_detail, "[]"),
        (decode_detail, "null"),
        (decode_snapshot, "[]"),
        (decode_snapshot, "null"),
        (decode_snapshot, '{"a":NaN}'),
        (decode_snapshot, '{"a":-Infinity}'),
        (decode_snapshot, '{"a":[{"b":1e400}]}'),
        (decode_snapshot, '{"a":' + "[" * 150 + "]" * 150 + "}"),
    ],
)
def test_what_is_not_exactly_an_event_is_refused(read: Callable[[str], object], text: str) -> None:
    """Events are read as strictly, and are no record values."""
    with pytest.raises(ContractBroken):
        read(text)


def test_the_error_names_type_and_format() -> None:
    """So that the operator knows which release to look for."""
    with pytest.raises(ContractBroken, match=r"a text of format 7; this release reads 1\. Run a release that reads it"):
        decode(text_of("{}", number=7))
    with pytest.raises(ContractBroken, match="a spend, format 1, that cannot be read"):
        decode(text_of("{}", "spend"))
    with pytest.raises(ContractBroken, match="a text of another type, format 1, that cannot be read"):
        decode(text_of("{}", "other"))
    with pytest.raises(ContractBroken, match="a text of no known format"):
        decode("{}")
    with pytest.raises(ContractBroken, match=r"an Event\.detail that cannot be read"):
        decode_detail("[]")


@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_anything_else_is_refused_in_one_way(text: str | bytes) -> None:
    """Whatever a text is, there is a value or ``ContractBroken``, never another error."""
    for read in (decode, decode_event):
        with pytest.raises(ContractBroken):
            read(text)


@given(st.sampled_from([*VALUES.values()]), st.data())
def test_damage_is_refused_or_is_another_value(value: Value, data: st.DataObject) -> None:
    """One character lost or changed makes no third thing: what is still read can be written again."""
    text = encode(value)
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:place] + data.draw(st.sampled_from(["", "0", '"', "x", "]", "\\"])) + text[place + 1 :]

    try:
        read = decode(damaged)
    except ContractBroken:
        return

    assert difference(decode(encode(read)), read) is None


# -- what cannot be stored ------------------------------------------------------------------


class Word(enum.StrEnum):
    A = CANARY


class OtherClaim(Claim):
    """A subclass says more than its fields."""


class Stubborn(Mapping[str, Any]):
    """A mapping that fails when it is read, and says what it holds."""

    def __getitem__(self, key: str) -> Any:
        raise KeyError(CANARY)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError(CANARY)

    def __len__(self) -> int:
        return 1


class Incomparable(dict[str, Any]):
    """A mapping that can be written, and fails when it is compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError(CANARY)


def nested(depth: int) -> Any:
    made: Any = CANARY
    for _ in range(depth):
        made = [made]
    return made


circle: list[Any] = [CANARY]
circle.append(circle)

ODD: tuple[Any, ...] = (True, None, 1.5, [CANARY], (1,), {})
UNSTORABLE: list[Any] = [
    Claim(NOW, f"{CANARY}\ud800"),
    Claim(NOW.replace(tzinfo=None), CANARY),
    Claim(cast("Any", CANARY)),
    Claim(NOW, cast("Any", CANARY.encode())),
    Claim(NOW, cast("Any", 1)),
    Claim(datetime.min.replace(tzinfo=timezone(timedelta(hours=2))), CANARY),
    OtherClaim(NOW, CANARY),
    Spend(True),
    Spend(cast("Any", CANARY)),
    Spend(cast("Any", 1.0), requests=(CANARY,)),
    Spend(1, cast("Any", 1), (CANARY,)),
    Spend(1, requests=cast("Any", [CANARY])),
    Spend(1, requests=cast("Any", CANARY)),
    Spend(10**5000),
    Shelf((True, 1), 1),
    Shelf(cast("Any", (1, 2, 3)), 1),
    Shelf((1, 2), 1, proved=cast("Any", (Claim(NOW, CANARY),))),
    Throttle(counts={f"{CANARY}\ud800": Count(1)}),
    Throttle(counts=cast("Any", {1: Count(1), CANARY: Count(2)})),
    Throttle(counts=cast("Any", {CANARY: 1})),
    Throttle(counts=Stubborn()),
    Throttle(counts=Incomparable()),
    Roster((Factor("fac_1", "totp", material=CANARY.encode()),)),
    Roster((Factor("fac_1", "totp", material=b"\xff"),)),
    *(FactorSet((StoredFactor("a", "totp", cast("Any", {CANARY: x})),)) for x in ODD),
    *(
        replace(samples.CHALLENGE, prepared={"totp": Preparation(NOW, cast("Any", {CANARY: x}))})
        for x in (None, 1.5, (), "\ud800")
    ),
    replace(samples.CHALLENGE, state=cast("Any", "done")),
    replace(samples.CHALLENGE, binding=cast("Any", {CANARY: 1})),
    samples.EVENT,
    {"at": CANARY},
    CANARY,
    None,
    Claim,
]


def leaks(error: BaseException) -> list[str]:
    """Where an error shows the canary, or hangs on another one."""
    shown = {
        "str": str(error),
        "repr": repr(error),
        "attributes": repr(vars(error)),
        "traceback": "".join(traceback.format_exception(error)),
    }
    chained = [name for name in ("__cause__", "__context__") if getattr(error, name) is not None]
    return [name for name, text in shown.items() if CANARY in text] + chained


def unwritten(write: Callable[[Any], object], value: object) -> InvalidInput:
    """How *value* is refused, which it has to be."""
    with pytest.raises(InvalidInput) as caught:
        write(value)
    return caught.value


@pytest.mark.parametrize("value", UNSTORABLE, ids=range(len(UNSTORABLE)))
def test_what_could_not_be_read_back_is_not_written(value: Any) -> None:
    """It is refused where it would be written, and the refusal does not show it."""
    assert leaks(unwritten(encode, value)) == []


@pytest.mark.parametrize(
    "held",
    [
        float("nan"), float("inf"), -float("inf"), object(), "\ud800", b"x", {1}, (CANARY,), NOW, Word.A, Decimal(1),
        Claim(NOW, CANARY), {1: CANARY}, {f"{CANARY}\ud800": 1}, {1: 1, CANARY: 1}, nested(40), nested(2000), circle,
        10**5000, Stubborn(), Incomparable(), ValueError(CANARY), State.OPEN,
    ],
    ids=lambda held: type(held).__name__,
)  # fmt: skip
def test_a_snapshot_holds_plain_json_only(held: object) -> None:
    """An object in it is refused, at its top and deeper, alone and in its event."""
    for snapshot in ({CANARY: held}, {"a": [{"b": held}]}):
        errors = [
            unwritten(encode_snapshot, snapshot),
            unwritten(encode_event, replace(SMALL_EVENT, snapshot=cast("Any", snapshot))),
        ]

        assert [leaks(error) for error in errors] == [[], []]


@pytest.mark.parametrize(
    "detail",
    [
        {"a": 1.5},
        {"a": [CANARY]},
        {"a": "\ud800"},
        {"\ud800": 1},
        {1: CANARY},
        [CANARY],
        None,
        Stubborn(),
        Incomparable(),
    ],
)
def test_a_detail_holds_plain_values_only(detail: Any) -> None:
    """Text, whole numbers, truth values and None."""
    errors = [unwritten(encode_detail, detail), unwritten(encode_event, replace(SMALL_EVENT, detail=detail))]

    assert [leaks(error) for error in errors] == [[], []]


def test_what_is_no_event_is_refused() -> None:
    """A record value is no event."""
    with pytest.raises(InvalidInput, match="value cannot be a Claim"):
        encode_event(cast("Any", Claim(NOW)))


# -- silent about what they hold ----------------------------------------------------------------


def refusal(read: Callable[[Any], object], text: str | bytes) -> ContractBroken | None:
    """How *text* is refused; None where it is read."""
    try:
        read(text)
    except ContractBroken as error:
        return error
    return None


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        f'"{CANARY}"',
        f'{{"{CANARY}":1}}',
        f'{{"a":"{CANARY}',
        f'{{"a":"\\ud800{CANARY}"}}',
        f'{{"a":["{CANARY}",NaN]}}',
        text_of(f"{{{AT}}}", CANARY),
        text_of(f"{{{AT}}}", number=CANARY),
        text_of(f"{{{AT}}}", number={CANARY: CANARY}),
        text_of(f'"{CANARY}"'),
        text_of(f'{{"at":"{CANARY}"}}'),
        text_of(f'{{{AT},"{CANARY}":"{CANARY}"}}'),
        text_of(f'{{{AT},"request":["{CANARY}"]}}'),
        text_of(f'{{{AT},"request":"{CANARY}"}}', number=2),
        text_of(f'{{"request":"{CANARY}"}}'),
        text_of(f'{{{AT},"request":"{CANARY}"}}') + CANARY,
        factors(f'{{"{CANARY}":true}}'),
        factors(f'{{"a":["{CANARY}",1]}}'),
        encode(samples.CHALLENGE).replace('"state":"cancelled"', f'"state":"{CANARY}"'),
        encode(samples.CHALLENGE).replace('"method":"recovery_code"', f'"method":" {CANARY}"'),
        encode(samples.ROSTER_VALUE).replace('"material":null', f'"material":"{CANARY}"'),
        encode_event(SMALL_EVENT).replace('"type":"authorization"', f'"type":"{CANARY}"'),
        encode_event(SMALL_EVENT).replace('"uses":1', f'"uses":["{CANARY}",1e400]'),
    ],
    ids=lambda text: text[:80],
)
def test_no_error_shows_what_was_in_the_text(text: str) -> None:
    """Not in its message, its attributes or its traceback, and no other error hangs on it."""
    for read in (decode, decode_event, decode_detail, decode_snapshot):
        for form in (text, text.encode(), text.encode() + b"\xff"):
            error = refusal(read, form)
            if error is None:
                assert read in {decode_detail, decode_snapshot}  # which any object may be
            else:
                assert leaks(error) == []


def test_a_number_that_is_no_format_is_not_shown() -> None:
    """What stands where the format should be may be anything."""
    with pytest.raises(ContractBroken) as caught:
        decode(text_of("{}", number=7_391_842))

    assert "7391842" not in str(caught.value)


def test_the_leak_check_sees_leaks() -> None:
    """A message, an attribute, and an error behind the error are all seen."""

    def chained(text: str | bytes) -> object:
        try:
            raise KeyError(text)
        except KeyError:
            raise ContractBroken("broken") from None

    assert leaks(cast("ContractBroken", refusal(chained, CANARY))) == ["__context__"]
    assert leaks(InvalidInput("x", CANARY)) == ["str", "repr", "traceback"]
    assert leaks(ContractBroken("x", remedy=CANARY)) == ["str", "repr", "attributes", "traceback"]


# -- a rolling deploy -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Before:
    """A stored type as release 0 has it."""

    at: datetime
    request: str | None = None


@dataclass(frozen=True, slots=True)
class After:
    """The same in the releases A and B: one field has another name, and a restriction has been added."""

    since: datetime
    request: str | None = None
    only_from: str | None = None


def up(made: dict[str, Any]) -> dict[str, Any]:
    value = dict(made["value"])
    return {**made, "value": {"since": value.pop("at"), **value, "only_from": None}}


def down(made: dict[str, Any]) -> dict[str, Any]:
    value = dict(made["value"])
    value.pop("only_from")
    return {**made, "value": {"at": value.pop("since"), **value}}


RELEASE_0 = _Codec({"thing": Before}, 1, frozenset({1}), {}, {})
RELEASE_A = _Codec({"thing": After}, 1, frozenset({1, 2}), {1: up}, {1: down})
RELEASE_B = _Codec({"thing": After}, 2, frozenset({1, 2}), {1: up}, {1: down})
RELEASE_C = _Codec({"thing": After}, 2, frozenset({2}), {}, {})


def test_release_0_and_a_run_side_by_side() -> None:
    """The release that learns a new format still writes the old one, to the letter."""
    assert RELEASE_A.encode(After(NOW, "x")) == RELEASE_0.encode(Before(NOW, "x"))
    assert RELEASE_0.decode(RELEASE_A.encode(After(NOW, "x"))) == Before(NOW, "x")
    assert RELEASE_A.decode(RELEASE_0.encode(Before(NOW, "x"))) == After(NOW, "x")


@pytest.mark.parametrize("value", [After(NOW), After(NOW, "x"), After(NOW, "x", "here"), After(NOW, only_from="here")])
def test_release_a_and_b_run_side_by_side(value: After) -> None:
    """Each reads what the other writes, and a restriction that is new in B survives being written by A."""
    assert difference(RELEASE_A.decode(RELEASE_B.encode(value)), value) is None
    assert difference(RELEASE_B.decode(RELEASE_A.encode(value)), value) is None
    assert json.loads(RELEASE_B.encode(value))["format"] == 2
    assert json.loads(RELEASE_A.encode(value))["format"] == (1 if value.only_from is None else 2)


def test_release_0_refuses_what_b_writes() -> None:
    """Between them a release was left out; nothing is guessed."""
    with pytest.raises(ContractBroken, match=r"a text of format 2; this release reads 1\."):
        RELEASE_0.decode(RELEASE_B.encode(After(NOW)))
    with pytest.raises(ContractBroken, match=r"a text of format 2; this release reads 1\."):
        RELEASE_0.decode(RELEASE_A.encode(After(NOW, only_from="here")))
    with pytest.raises(ContractBroken, match=r"a text of format 1; this release reads 2\."):
        RELEASE_C.decode(RELEASE_0.encode(Before(NOW)))


def test_several_steps_are_taken_one_by_one() -> None:
    """A text of the oldest format that is read goes through every format between, in both directions."""
    taken: list[tuple[int, str]] = []

    def step(name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> codec.Step:
        def run(made: dict[str, Any]) -> dict[str, Any]:
            taken.append((made["format"], name))
            return change(made)

        return run

    def same(made: dict[str, Any]) -> dict[str, Any]:
        return made

    release = _Codec(
        {"thing": After},
        1,
        frozenset({1, 2, 3}),
        {1: step("up", up), 2: step("up", same)},
        {1: step("down", down), 2: step("down", same)},
    )

    text = release.encode(After(NOW))

    assert text == RELEASE_0.encode(Before(NOW))
    assert taken == [(3, "down"), (2, "down"), (1, "up"), (2, "up")]
    assert release.decode(RELEASE_B.encode(After(NOW, "x", "y"))) == After(NOW, "x", "y")


@pytest.mark.parametrize(
    "value",
    [
        f'{{"at":"{CANARY}"}}',
        f'{{"{CANARY}":1}}',
        f'["{CANARY}"]',
        f'"{CANARY}"',
        "null",
        "{}",
        f'{{{AT},"only_from":"{CANARY}","more":1}}',
        f'{{{AT},"request":NaN}}',
        f'{{{AT},"request":1e400}}',
        f'{{{AT},"request":true}}',
    ],
)
def test_an_old_text_is_read_as_strictly(value: str) -> None:
    """What a step was not written for is refused, whatever the step makes of it, and is not shown."""
    with pytest.raises(ContractBroken) as caught:
        RELEASE_B.decode(text_of(value, "thing"))

    assert leaks(caught.value) == []


def test_a_step_that_fails_shows_nothing() -> None:
    """Whatever it raises, in either direction."""

    def fails(made: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError(made["value"])

    release = _Codec({"thing": After}, 1, frozenset({1, 2}), {1: fails}, {1: fails})

    errors = [
        refusal(release.decode, RELEASE_0.encode(Before(NOW, CANARY))),
        unwritten(release.encode, After(NOW, CANARY)),
    ]

    assert [leaks(error) for error in errors if error is not None] == [[], []]


def test_what_cannot_be_stored_cannot_be_stored_in_an_old_format() -> None:
    """Nor does the refusal show it."""
    for release in (RELEASE_A, RELEASE_B):
        with pytest.raises(InvalidInput) as caught:
            release.encode(After(NOW, f"{CANARY}\ud800"))
        assert leaks(caught.value) == []


if __name__ == "__main__":
    print(json.dumps({str(max(READS)): section()}, ensure_ascii=False, indent=1))
