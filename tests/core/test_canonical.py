"""Canonical JSON and the params digest: published vectors, an independent reading of the rules, and what is refused."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup.canonical import MAX_DEPTH, MAX_SAFE_INTEGER, canonical_json, params_digest, parse_json
from stepup.errors import InvalidInput

DOCUMENT: dict[str, Any] = json.loads(Path(__file__).parents[1].joinpath("vectors", "params.json").read_text("utf-8"))
VECTORS: list[dict[str, Any]] = DOCUMENT["vectors"]
REFUSED: list[dict[str, str]] = DOCUMENT["refused"]


def test_there_are_enough_vectors() -> None:
    """Somebody who writes the digest in another language has cases enough to trust it, each with a name of its own."""
    assert len(VECTORS) >= 30
    assert len(REFUSED) >= 15
    names = [vector["name"] for vector in (*VECTORS, *REFUSED)]
    assert len(set(names)) == len(names)


@pytest.mark.requirement("C-03")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    """Each published text has the published canonical form."""
    assert canonical_json(parse_json(vector["json"])).decode() == vector["canonical"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors_hold_without_our_code(vector: dict[str, Any]) -> None:
    """The published digests follow from the published texts by hashlib alone, the plain ones from json alone."""
    message = DOCUMENT["domain"].encode() + vector["canonical"].encode()
    assert hashlib.sha256(message).hexdigest() == vector["sha256"]
    assert json.loads(vector["canonical"]) == json.loads(vector["json"])
    if vector["plain"]:
        value = json.loads(vector["json"])
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert text == vector["canonical"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["canonical"][0] == "{"], ids=lambda vector: vector["name"])
def test_digests(vector: dict[str, Any]) -> None:
    """The digest of params is the published one."""
    assert params_digest(json.loads(vector["json"])) == vector["sha256"]


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["name"])
def test_what_two_parties_could_read_differently_is_refused(vector: dict[str, str]) -> None:
    """Ambiguous, lossy or malformed JSON is refused, and the error says why."""
    with pytest.raises(InvalidInput) as caught:
        canonical_json(parse_json(vector["json"]))

    assert vector["reason"] in str(caught.value)


# -- numbers, against an independent reading of ECMA-262 ------------------------------


def ecmascript(value: float) -> str:
    """Number::toString of ECMA-262 section 6.1.6.1.20, written from the standard over decimal digits."""
    if value == 0:
        return "0"
    if value < 0:
        return "-" + ecmascript(-value)
    _, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    s = "".join(map(str, digits))
    k, n = len(s), len(s) + exponent
    if k <= n <= 21:
        return s + "0" * (n - k)
    if 0 < n <= 21:
        return s[:n] + "." + s[n:]
    if -6 < n <= 0:
        return "0." + "0" * -n + s
    e = f"{'+' if n > 0 else '-'}{abs(n - 1)}"
    return f"{s}e{e}" if k == 1 else f"{s[0]}.{s[1:]}e{e}"


def representable(value: float) -> bool:
    return math.isfinite(value) and not (value.is_integer() and abs(value) > MAX_SAFE_INTEGER)


@given(st.floats(allow_nan=False, allow_infinity=False).filter(representable))
def test_floats_print_as_ecmascript_does(value: float) -> None:
    """Every float that is taken prints as a browser would print it, and reads back as itself."""
    text = canonical_json([value]).decode()

    assert text == f"[{ecmascript(value)}]"
    assert json.loads(text) == [value]


@given(st.binary(min_size=8, max_size=8))
def test_any_bit_pattern_is_printed_right_or_refused(raw: bytes) -> None:
    """All 64-bit patterns: either the right text, or a refusal."""
    (value,) = struct.unpack(">d", raw)

    if representable(value):
        assert canonical_json(value).decode() == ecmascript(value)
    else:
        with pytest.raises(InvalidInput):
            canonical_json(value)


# -- structure -----------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False).filter(representable)
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
keys = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(keys, values, max_size=5))
def test_the_form_is_one(params: dict[str, Any]) -> None:
    """It reads back as the same value, is its own canonical form, and does not depend on the order of members."""
    text = canonical_json(params)

    again = parse_json(text)
    assert again == params
    assert canonical_json(again) == text
    assert canonical_json(dict(reversed(params.items()))) == text


@given(st.dictionaries(keys, st.none(), min_size=2, max_size=8))
def test_members_stand_in_the_order_of_utf16(params: dict[str, None]) -> None:
    """Members are sorted by UTF-16 code units, as a browser sorts strings."""
    units = [list(struct.unpack(f">{len(k.encode('utf-16-be')) // 2}H", k.encode("utf-16-be"))) for k in params]

    written = list(json.loads(canonical_json(params)))

    assert [
        list(struct.unpack(f">{len(k.encode('utf-16-be')) // 2}H", k.encode("utf-16-be"))) for k in written
    ] == sorted(units)


@given(st.dictionaries(keys, values, max_size=4), st.dictionaries(keys, values, max_size=4))
def test_different_params_have_different_digests(one: dict[str, Any], two: dict[str, Any]) -> None:
    """Two digests are equal exactly if the JSON is."""
    same = canonical_json(one) == canonical_json(two)

    assert (params_digest(one) == params_digest(two)) is same


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"a": (1, 2)}, '{"a":[1,2]}'),
        (OrderedDict(b=1, a=2), '{"a":2,"b":1}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (True, "true"),
        ([False, 0, 0.0, ""], '[false,0,0,""]'),
    ],
)
def test_pythons_own_containers_are_taken(value: object, form: str) -> None:
    """Tuples and mappings of any kind mean what a list and an object mean; booleans are not numbers."""
    assert canonical_json(value).decode() == form


class Text(str):
    """A string with an opinion of its own."""

    __slots__ = ()


class Number(int):
    """A number with an opinion of its own."""


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"bytes", "has a bytes, which is not JSON"),
        ({1, 2}, "has a set, which is not JSON"),
        (object(), "has a object, which is not JSON"),
        (Decimal("1.5"), "has a Decimal, which is not JSON"),
        (1j, "has a complex, which is not JSON"),
        (Text("a"), "has a Text, which is not JSON"),
        (Number(1), "has a Number, which is not JSON"),
        ({"a": b"1"}, "has a bytes, which is not JSON"),
        ({1: "a"}, "has a member name that is a int"),
        ({None: "a"}, "has a member name that is a NoneType"),
        ({Text("a"): 1}, "has a member name that is a Text"),
        (MAX_SAFE_INTEGER + 1, "has an integer beyond 2**53-1"),
        (-MAX_SAFE_INTEGER - 1, "has an integer beyond 2**53-1"),
        (2.0**53, "has an integer beyond 2**53-1"),
        (math.nan, "has a number that is not finite"),
        (-math.inf, "has a number that is not finite"),
        ("\ud800", "has a lone surrogate"),
        ({"\udfff": 1}, "has a lone surrogate"),
    ],
)
def test_what_is_not_json_is_refused_by_name(value: object, problem: str) -> None:
    """Anything that is not plain JSON is refused, and the error names the value and the trouble."""
    with pytest.raises(InvalidInput) as caught:
        canonical_json({"deep": [value]}, name="params")

    assert caught.value.name == "params"
    assert f"params {problem}" in str(caught.value)


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def test_depth_is_limited() -> None:
    """Sixteen levels are taken, a seventeenth is refused; a structure that contains itself never ends the program."""
    assert canonical_json(nested(MAX_DEPTH)).decode() == "[" * 16 + "1" + "]" * 16
    with pytest.raises(InvalidInput, match="nested deeper than 16 levels"):
        canonical_json(nested(MAX_DEPTH + 1))

    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InvalidInput, match="nested deeper than 16 levels"):
        canonical_json(endless)


def test_length_is_limited_in_bytes() -> None:
    """The limit counts UTF-8 bytes, and is inclusive."""
    assert canonical_json("é" * 4, limit=10) == ('"' + "é" * 4 + '"').encode()
    with pytest.raises(InvalidInput, match=r"note is 10 bytes long, at most 9 are allowed"):
        canonical_json("é" * 4, name="note", limit=9)


# -- params ----------------------------------------------------------------------------


def test_no_params_have_no_digest() -> None:
    """None is not the same as an empty object."""
    assert params_digest(None) is None
    assert params_digest({}) == hashlib.sha256(b"stepup.params.v1\0{}").hexdigest()


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("params", [[], "a", 1, True, b"{}", [("a", 1)]])
def test_params_are_a_mapping(params: Any) -> None:
    """A list, a text or a number is refused by name rather than digested."""
    with pytest.raises(InvalidInput, match="params must be a mapping"):
        params_digest(params)


def test_the_limit_holds_for_params() -> None:
    """Params longer than the limit are refused before anything is stored or signed."""
    with pytest.raises(InvalidInput, match="at most 10 are allowed"):
        params_digest({"note": "a" * 20}, limit=10)


def test_params_are_in_a_domain_of_their_own() -> None:
    """The digest of params is not the bare digest of their JSON, so it is never mistaken for another."""
    params: Mapping[str, object] = {"amount": 1}

    assert params_digest(params) != hashlib.sha256(canonical_json(params)).hexdigest()


# -- reading ---------------------------------------------------------------------------


def test_reading_takes_text_and_bytes() -> None:
    """Both forms of a request body are read."""
    assert parse_json('{"a":[1,2.5,null]}') == {"a": [1, 2.5, None]}
    assert parse_json('{"ä":1}'.encode()) == {"ä": 1}


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("text", ["", "{", "nul", b"\xff\xfe\xfa", "[" * 100_000, '{"a":1}}', "1" * 5000])
def test_reading_never_lets_a_parsers_error_out(text: str | bytes) -> None:
    """Broken, badly encoded, absurdly deep or absurdly long JSON is refused by name."""
    with pytest.raises(InvalidInput, match=r"body is not valid JSON\."):
        parse_json(text, name="body")


def test_the_cause_of_a_parse_error_is_not_kept() -> None:
    """The parser's error quotes the document, which may hold secrets; it does not travel with ours."""
    with pytest.raises(InvalidInput) as caught:
        parse_json('{"password": "hunter2", }')

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
