"""Our tokens are standard: any JOSE library reads them. What any JOSE library can forge, ours refuses.

The corpus of confusions is built by name in ``confusions``; each is a text (or no text at all) that some reader
somewhere has taken for a valid token, or could. Those in ``signed_with_our_key`` carry a right MAC over what they
say: nobody outside can make them, and still they are refused, because a header that we do not write means nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jwt as pyjwt
import pytest
from core_values import ACTOR, BINDING, NOW, OTHER_SECRET, RING, SECRET, proof
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import OctKey

from stepup.bearer import to_claims
from stepup.grant import mint
from stepup.keys import KeyRing
from stepup.policy import Action, Risk
from stepup.registry import Registry
from stepup.token import GRANT_TYPE, OFFER_TYPE, TokenWriter

WRITER = TokenWriter(RING, GRANT_TYPE)
KID = RING.kids[0]
ISSUER, AUDIENCE = "https://northstar.example", "northstar"
RULES = Registry(
    [Action("organization.delete", "Delete organization", risk=Risk.CRITICAL)], methods={"totp": 30}, assessed=False
).rules("organization.delete", Risk.CRITICAL)
GRANT = mint("grant_1", BINDING, RULES, (proof("totp"), proof("password", strength=20)), (1, 2), 3, NOW)
CLAIMS: dict[str, Any] = json.loads(json.dumps(to_claims(GRANT, ISSUER, AUDIENCE)))
TOKEN = WRITER.sign(CLAIMS)
HEAD, BODY, MAC = TOKEN.split(".")
HEADER: dict[str, object] = {"alg": "HS256", "kid": KID, "typ": GRANT_TYPE}
PAYLOAD = json.dumps(CLAIMS, separators=(",", ":")).encode()


def subkey(purpose: str = GRANT_TYPE, ring: KeyRing = RING) -> bytes:
    key = ring.subkey(purpose, ring.kids[0])
    assert key
    return key


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: Mapping[str, object] | bytes, payload: bytes = PAYLOAD, key: bytes | None = None) -> str:
    """A compact JWS with HMAC-SHA256 under *key*, ours by default, whatever *header* says."""
    head = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text = f"{b64(head)}.{b64(payload)}"
    return f"{text}.{b64(hmac.digest(subkey() if key is None else key, text.encode(), 'sha256'))}"


# -- ours, read by others ----------------------------------------------------------------


@pytest.mark.requirement("G-05", "G-11")
def test_pyjwt_reads_ours() -> None:
    """PyJWT verifies our token given the subkey, audience and issuer, and finds the registered claims."""
    read = pyjwt.decode(
        TOKEN,
        subkey(),
        algorithms=["HS256"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False, "require": ["iss", "aud", "sub", "iat", "exp", "jti"]},
    )

    assert read == CLAIMS
    assert read["sub"] == ACTOR.id
    assert read["jti"] == "grant_1"
    assert read["acr"] == "urn:stepup:level:4"
    assert read["amr"] == ["otp", "pwd", "mfa"]
    assert (read["iat"], read["exp"], read["auth_time"]) == (
        int(NOW.timestamp()), int(NOW.timestamp()) + 120, int(NOW.timestamp()),
    )  # fmt: skip
    assert pyjwt.get_unverified_header(TOKEN) == HEADER


def test_joserfc_reads_ours() -> None:
    """Joserfc does too, and its claims registry is content with the types of all of them."""
    token = joserfc_jwt.decode(TOKEN, OctKey.import_key(subkey()), algorithms=["HS256"])

    assert token.claims == CLAIMS
    assert token.header == HEADER
    registry = joserfc_jwt.JWTClaimsRegistry(
        now=int(NOW.timestamp()),
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        iat={"essential": True},
    )
    registry.validate(token.claims)


def test_others_refuse_ours_under_any_other_key() -> None:
    """The key is the purpose's own: neither the secret itself nor another purpose's subkey verifies it."""
    for key in (SECRET, subkey(OFFER_TYPE), subkey(ring=KeyRing(OTHER_SECRET))):
        with pytest.raises(pyjwt.InvalidSignatureError):
            pyjwt.decode(TOKEN, key, algorithms=["HS256"], audience=AUDIENCE, options={"verify_exp": False})


def test_old_keys_can_be_published_by_id() -> None:
    """A reader that holds a ring finds the key by the header's kid, for old tokens too."""
    ring = KeyRing(OTHER_SECRET, SECRET)
    key = ring.subkey(GRANT_TYPE, str(pyjwt.get_unverified_header(TOKEN)["kid"]))

    assert key == subkey()


# -- theirs, refused by us ---------------------------------------------------------------

ALGORITHMS: list[object] = [
    "none", "None", "NONE", "nOnE", "", None, 0, False, [], ["HS256"], ["none"], {"HS256": 1}, "hs256", "Hs256",
    "HS256 ", " HS256", "HS256\n", "HS256\0", "HMAC-SHA256", "HS-256", "dir", "A256GCMKW", "HS384", "HS512", "HS1",
    "RS256", "ES256", "EdDSA", "PS256", "ES256K",
]  # fmt: skip


def algorithms() -> Iterator[tuple[str, object]]:
    """What ``alg`` can be made to say."""
    for alg in ALGORITHMS:
        header = {**HEADER, "alg": alg}
        yield f"alg {alg!r}, unsigned", compact(header).rpartition(".")[0] + "."
        yield f"alg {alg!r}, our MAC of the original", f"{b64(json.dumps(header).encode())}.{BODY}.{MAC}"
    yield "no alg, unsigned", compact({"kid": KID, "typ": GRANT_TYPE}).rpartition(".")[0] + "."
    yield "no header at all", f"{b64(b'{}')}.{BODY}."
    for name in ("sha1", "sha384", "sha512", "sha3_256", "md5", "blake2b"):
        yield (
            f"our header, {name} with our key",
            f"{HEAD}.{BODY}.{b64(hmac.digest(subkey(), f'{HEAD}.{BODY}'.encode(), name))}",
        )
    joined = hashlib.sha256(subkey() + f"{HEAD}.{BODY}".encode()).digest()
    yield "our header, plain SHA-256 of key and text", f"{HEAD}.{BODY}.{b64(joined)}"


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256, P384, K1 = (ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP256K1()))
ED = ed25519.Ed25519PrivateKey.generate()


def foreign_keys() -> Iterator[tuple[str, object]]:
    """Signed properly, with a key that is the attacker's own, or that everybody knows."""
    keys: list[tuple[str, Any]] = [
        ("RS256", RSA), ("RS384", RSA), ("RS512", RSA), ("PS256", RSA), ("PS512", RSA),
        ("ES256", P256), ("ES384", P384), ("ES256K", K1), ("EdDSA", ED),
    ]  # fmt: skip
    for alg, key in keys:
        yield f"{alg} by a stranger", pyjwt.encode(CLAIMS, key, algorithm=alg, headers={"kid": KID, "typ": GRANT_TYPE})
    for name, key in (("RSA", RSA), ("P-256", P256), ("Ed25519", ED)):
        for form in (PublicFormat.SubjectPublicKeyInfo,):
            pem = key.public_key().public_bytes(Encoding.PEM, form)
            yield f"HS256 with a public {name} key as PEM", compact(HEADER, key=pem)
            yield (
                f"HS256 with a public {name} key as DER",
                compact(HEADER, key=key.public_key().public_bytes(Encoding.DER, form)),
            )
    known = {
        "the empty key": b"", "a zero byte": b"\0", "32 zero bytes": bytes(32), "the kid": KID.encode(),
        "the typ": GRANT_TYPE.encode(), "the word secret": b"secret", "the header": HEAD.encode(),
        "the secret itself": SECRET, "a digest of the secret": hashlib.sha256(SECRET).digest(),
        "half the key": subkey()[:16], "the key in hex": subkey().hex().encode(),
        "the key in base64": b64(subkey()).encode(),
        "the offers' key": subkey(OFFER_TYPE), "the vault's key": subkey("seal"), "the key of ids": subkey("binding"),
        "the key of no purpose": subkey(""), "another ring's key": subkey(ring=KeyRing(OTHER_SECRET)),
    }  # fmt: skip
    for name, key in known.items():
        yield f"HS256 with {name}", compact(HEADER, key=key)


JWK = {"kty": "oct", "k": b64(b"a key of the attacker's, in the header"), "alg": "HS256"}
INJECTED: dict[str, object] = {
    "jwk": JWK, "jku": "https://attacker.example/keys", "x5u": "https://attacker.example/cert", "x5c": ["MIIB"],
    "x5t": "AAAA", "x5t#S256": "AAAA", "crit": ["exp"], "crit (empty)": [], "crit (unknown)": ["http://x.example/y"],
    "crit (b64)": ["b64"], "b64": False, "zip": "DEF", "cty": "JWT", "enc": "A256GCM", "p2c": 10**9, "epk": {},
    "apu": "", "iss": ISSUER, "exp": 9999999999, "nonce": "1", "url": "https://attacker.example", "stepup": 1,
    "__proto__": {"alg": "none"},
}  # fmt: skip
KIDS: list[object] = [
    "", None, 0, 1, True, [], {}, [KID], KID.upper(), KID + " ", " " + KID, KID + "\0", KID + "\n", KID[:-1], KID + "0",
    KID + "/../" + KID, "../../../../dev/null", "/dev/null", "file:///dev/null", "https://attacker.example/key",
    "' OR '1'='1", "x' UNION SELECT 'key'--", "; sleep 10 #", "$(id)", "${jndi:ldap://attacker.example}", "*", "%00",
    KeyRing(OTHER_SECRET).kids[0], "\u0661" * 16,
]  # fmt: skip
TYPES: list[object] = [
    "JWT", "jwt", "at+jwt", "application/at+jwt", "stepup-grant", "grant", "STEPUP-GRANT+JWT", "stepup-grant+JWT",
    "application/stepup-grant+jwt", OFFER_TYPE, "stepup-login+jwt", "dpop+jwt", "logout+jwt", "", None, 0, [GRANT_TYPE],
]  # fmt: skip


def signed_with_our_key() -> Iterator[tuple[str, object]]:
    """A right MAC under our key over a header that we do not write."""
    for alg in ALGORITHMS:
        yield f"alg {alg!r}, our key", compact({**HEADER, "alg": alg})
    for name, value in INJECTED.items():
        yield f"{name} in the header, our key", compact({**HEADER, name.partition(" ")[0]: value})
    for kid in KIDS:
        yield f"kid {kid!r}, our key", compact({**HEADER, "kid": kid})
    for typ in TYPES:
        yield f"typ {typ!r}, our key", compact({**HEADER, "typ": typ})
    for missing in HEADER:
        yield f"no {missing}, our key", compact({key: value for key, value in HEADER.items() if key != missing})
    for order in list(itertools.permutations(HEADER))[1:]:
        yield f"members in the order {order}", compact({key: HEADER[key] for key in order})
    text = json.dumps(HEADER, separators=(",", ":"))
    for name, header in {
        "blanks after commas": json.dumps(HEADER, separators=(", ", ":")),
        "blanks after colons": json.dumps(HEADER, separators=(",", ": ")),
        "a blank before": " " + text,
        "a line feed behind": text + "\n",
        "a byte order mark": "\ufeff" + text,
        "an escaped letter in alg": text.replace("HS256", "\\u0048S256"),
        "an escaped letter in a name": text.replace('"alg"', '"\\u0061lg"'),
        "an escaped plus in typ": text.replace("+", "\\u002b"),
        "alg twice": text.replace("{", '{"alg":"none",'),
        "alg twice, the other way round": text.replace("}", ',"alg":"none"}'),
        "kid twice": text.replace("}", ',"kid":"x"}'),
        "a trailing comma": text.replace("}", ",}"),
        "a comment": text.replace("{", "{/**/"),
        "a list of headers": f"[{text}]",
        "an empty header": "",
        "null": "null",
    }.items():
        yield f"header with {name}, our key", compact(header.encode())
    yield "header in UTF-16, our key", compact(text.encode("utf-16"))
    yield "header in Latin-1 with a foreign letter, our key", compact({**HEADER, "x": "é"})
    yield "payload not encoded (b64 false), our key", unencoded()
    yield "a token in a token, our key", compact({**HEADER, "cty": "JWT"}, TOKEN.encode())
    yield "PyJWT's own header, our key", pyjwt.encode(CLAIMS, subkey(), algorithm="HS256", headers={"kid": KID})
    yield (
        "joserfc's own header, our key",
        joserfc_jwt.encode({"typ": GRANT_TYPE, "alg": "HS256", "kid": KID}, CLAIMS, OctKey.import_key(subkey())),
    )
    yield "a real offer of ours", TokenWriter(RING, OFFER_TYPE).sign(CLAIMS)
    yield "a real grant of another ring's", TokenWriter(KeyRing(OTHER_SECRET), GRANT_TYPE).sign(CLAIMS)


def unencoded() -> str:
    """RFC 7797: the payload stands in the text as it is."""
    head = b64(json.dumps({**HEADER, "b64": False, "crit": ["b64"]}, separators=(",", ":")).encode())
    text = f"{head}.{{}}"
    return f"{text}.{b64(hmac.digest(subkey(), text.encode(), 'sha256'))}"


def spellings() -> Iterator[tuple[str, object]]:
    """The same bytes written another way."""
    for name, segment in (("header", 0), ("payload", 1), ("MAC", 2)):
        parts = [HEAD, BODY, MAC]

        def with_segment(text: str, index: int = segment, base: tuple[str, ...] = tuple(parts)) -> str:
            return ".".join(text if position == index else part for position, part in enumerate(base))

        original = parts[segment]
        yield f"{name} padded", with_segment(original + "=" * (-len(original) % 4 or 4))
        yield f"{name} padded once", with_segment(original + "=")
        for label, extra in (
            ("a blank", " "),
            ("a line feed", "\n"),
            ("a tab", "\t"),
            ("a NUL", "\0"),
            ("a CR LF", "\r\n"),
        ):
            yield f"{name} with {label} behind", with_segment(original + extra)
            yield f"{name} with {label} before", with_segment(extra + original)
            yield f"{name} with {label} inside", with_segment(original[:8] + extra + original[8:])
        yield f"{name} with a character outside the alphabet", with_segment(original[:8] + "!" + original[8:])
        yield f"{name} percent-encoded", with_segment("".join(f"%{ord(c):02X}" for c in original))
        yield f"{name} in hex", with_segment(base64.urlsafe_b64decode(original + "==").hex())
        yield f"{name} in the standard alphabet", with_segment(base64.b64encode(b"\xfb\xef" * 16).decode())
        yield f"{name} empty", with_segment("")
        yield f"{name} doubled", with_segment(original * 2)
        yield f"{name} without its last character", with_segment(original[:-1])
        yield f"{name} in capitals", with_segment(original.upper())
        yield f"{name} reversed", with_segment(original[::-1])
        yield (
            f"{name} of another token",
            with_segment(WRITER.sign({**CLAIMS, "jti": "grant_2"}).split(".")[segment] if segment else b64(b"{}")),
        )
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = {0: 0, 2: 4, 3: 2}[len(MAC) % 4]
    for bits in range(1, 2**spare):
        last = alphabet[alphabet.index(MAC[-1]) ^ bits]
        yield f"MAC with spare bits {bits}", TOKEN[:-1] + last
    yield "MAC of zeros", f"{HEAD}.{BODY}.{b64(bytes(32))}"
    yield "MAC cut to 16 bytes", f"{HEAD}.{BODY}.{b64(base64.urlsafe_b64decode(MAC + '=')[:16])}"
    yield "MAC with a byte more", f"{HEAD}.{BODY}.{b64(base64.urlsafe_b64decode(MAC + '=') + bytes(1))}"


def structures() -> Iterator[tuple[str, object]]:
    """The parts put together another way, and what is no text at all."""
    flat = {"protected": HEAD, "payload": BODY, "signature": MAC}
    yield "flattened JSON", json.dumps(flat)
    yield "general JSON", json.dumps({"payload": BODY, "signatures": [{"protected": HEAD, "signature": MAC}]})
    yield "flattened JSON with an unprotected header", json.dumps({**flat, "header": {"alg": "none"}})
    yield "a JSON string", json.dumps(TOKEN)
    yield "a JWE of five parts", ".".join([HEAD, "", MAC, BODY, MAC])
    for name, text in {
        "no segment": "",
        "one segment": HEAD,
        "two segments": f"{HEAD}.{BODY}",
        "two and a dot": f"{HEAD}.{BODY}.",
        "four segments": f"{TOKEN}.{MAC}",
        "a dot before": f".{TOKEN}",
        "a dot behind": f"{TOKEN}.",
        "two dots": "..",
        "three dots": "...",
        "a payload left out": f"{HEAD}..{MAC}",
        "header twice": f"{HEAD}.{HEAD}.{BODY}.{MAC}",
        "payload twice": f"{HEAD}.{BODY}.{BODY}.{MAC}",
        "parts in another order": f"{BODY}.{HEAD}.{MAC}",
        "MAC first": f"{MAC}.{HEAD}.{BODY}",
        "two tokens": TOKEN + TOKEN,
        "two tokens and a dot": f"{TOKEN}.{TOKEN}",
        "two tokens and a comma": f"{TOKEN},{TOKEN}",
        "Bearer": f"Bearer {TOKEN}",
        "quotes": f'"{TOKEN}"',
        "a blank before": f" {TOKEN}",
        "a blank behind": f"{TOKEN} ",
        "a line feed behind": f"{TOKEN}\n",
        "a NUL behind": f"{TOKEN}\0",
        "a fragment": f"{TOKEN}#",
        "a query": f"{TOKEN}?x=1",
        "capitals": TOKEN.upper(),
        "small letters": TOKEN.lower(),
        "reversed": TOKEN[::-1],
        "percent dots": TOKEN.replace(".", "%2E"),
        "colons for dots": TOKEN.replace(".", ":"),
        "an ideographic full stop": TOKEN.replace(".", "\u3002"),
        "a one-dot leader": TOKEN.replace(".", "\u2024"),
        "full-width letters": "".join(chr(ord(c) + 0xFEE0) for c in TOKEN),
        "Arabic-Indic digits": TOKEN.translate({ord(str(n)): chr(0x660 + n) for n in range(10)}),
        "a Cyrillic letter": TOKEN.replace("e", "\u0435"),
        "a zero-width joiner": f"\u200d{TOKEN}",
        "a lone surrogate": f"{TOKEN}\ud800",
        "a combining accent": f"{TOKEN}\u0301",
        "a byte order mark": f"\ufeff{TOKEN}",
        "a million letters": "A" * 1_000_000,
        "a million dots": "." * 1_000_000,
        "itself a thousand times": TOKEN * 1000,
        "a right beginning and a long end": TOKEN + "A" * 10_000,
    }.items():
        yield f"text: {name}", text
    for length in range(1, len(TOKEN), 37):
        yield f"cut to {length} characters", TOKEN[:length]
    others: list[object] = [
        None, True, False, 0, 1, -1, 1.5, float("nan"), 10**30, b"", TOKEN.encode(), bytearray(TOKEN.encode()),
        memoryview(TOKEN.encode()), [], [TOKEN], (HEAD, BODY, MAC), {}, flat, {TOKEN}, object(), type,
        lambda: TOKEN, ...,
    ]  # fmt: skip
    for other in others:
        yield f"no text: {type(other).__name__} {str(other)[:12]!r}", other


def changed_claims() -> Iterator[tuple[str, object]]:
    """Our header and our MAC around claims that say more than they did."""
    for name in CLAIMS:
        yield (
            f"claim {name} left out",
            f"{HEAD}.{b64(json.dumps({k: v for k, v in CLAIMS.items() if k != name}).encode())}.{MAC}",
        )
    for name, value in {
        "exp": 9999999999,
        "sub": "usr_1",
        "acr": "urn:stepup:level:1",
        "aud": "other",
        "jti": "x",
    }.items():
        yield f"claim {name} changed", f"{HEAD}.{b64(json.dumps({**CLAIMS, name: value}).encode())}.{MAC}"
    yield "claims with blanks", f"{HEAD}.{b64(json.dumps(CLAIMS).encode())}.{MAC}"
    yield "claims sorted", f"{HEAD}.{b64(json.dumps(CLAIMS, sort_keys=True, separators=(',', ':')).encode())}.{MAC}"


def confusions() -> dict[str, object]:
    """The whole corpus, by name."""
    found: dict[str, object] = {}
    for family in (algorithms, foreign_keys, signed_with_our_key, spellings, structures, changed_claims):
        for name, forged in family():
            assert name not in found, f"two confusions are called {name!r}"
            found[name] = forged
    return found


CORPUS = confusions()


def test_the_corpus_is_large() -> None:
    """There are at least a hundred confusions, each different from the real token."""
    print(f"{len(CORPUS)} confusions")

    assert len(CORPUS) >= 100
    assert [name for name, forged in CORPUS.items() if isinstance(forged, str) and forged == TOKEN] == []
    texts = [forged for forged in CORPUS.values() if isinstance(forged, str)]
    assert len(set(texts)) > len(texts) * 0.95


def test_the_real_one_is_read() -> None:
    """The corpus is made around a token that is read, so that refusing everything is no way to pass."""
    assert WRITER.read(TOKEN) == CLAIMS


@pytest.mark.requirement("G-04", "G-05", "G-12")
@pytest.mark.parametrize("name", CORPUS)
def test_ours_refuses(name: str) -> None:
    """None of them is read, and none of them raises."""
    assert WRITER.read(CORPUS[name]) is None


def test_the_corpus_is_not_all_nonsense() -> None:
    """A good library, given our key, takes dozens of these for valid: refusing them is a choice, not an accident."""
    taken = 0
    for _, forged in signed_with_our_key():
        assert isinstance(forged, str)
        try:
            pyjwt.decode(
                forged,
                subkey(),
                algorithms=["HS256"],
                options={"verify_signature": True, "verify_exp": False, "verify_aud": False, "verify_iat": False},
            )
        except pyjwt.PyJWTError:
            continue
        taken += 1

    assert taken >= 40


@pytest.mark.requirement("G-04")
def test_a_flipped_bit_anywhere_is_refused() -> None:
    """Each of the seven bits of each character of one token, one at a time."""
    flips = [TOKEN[:i] + chr(ord(TOKEN[i]) ^ 1 << bit) + TOKEN[i + 1 :] for i in range(len(TOKEN)) for bit in range(7)]

    assert len(flips) == 7 * len(TOKEN)
    assert [flip for flip in flips if WRITER.read(flip) is not None] == []


def test_every_cut_is_refused() -> None:
    """The token cut at either end, at every length."""
    cuts = [TOKEN[:length] for length in range(len(TOKEN))] + [TOKEN[start:] for start in range(1, len(TOKEN) + 1)]

    assert [cut for cut in cuts if WRITER.read(cut) is not None] == []


def test_reading_parses_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header we did not write is not even decoded: no JSON is parsed and no base64 read before the MAC was right."""

    def refuse(*_: object, **__: object) -> object:
        raise AssertionError("parsed something before it was known to be ours")

    forged = [value for value in CORPUS.values() if isinstance(value, str)]
    with monkeypatch.context() as patch:
        patch.setattr("stepup.token.json.loads", refuse)
        patch.setattr("stepup.token.base64.urlsafe_b64decode", refuse)
        assert [WRITER.read(value) for value in forged] == [None] * len(forged)


@pytest.mark.requirement("Z-04")
def test_the_mac_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every MAC that is looked at goes through hmac.compare_digest."""
    seen: list[tuple[str, str]] = []
    real = hmac.compare_digest

    def compare(one: str, two: str) -> bool:
        seen.append((one, two))
        return real(one, two)

    with monkeypatch.context() as patch:
        patch.setattr("stepup.token.hmac.compare_digest", compare)
        assert WRITER.read(TOKEN)
        assert WRITER.read(f"{HEAD}.{BODY}.{MAC[:-1]}") is None

    assert seen == [(MAC, MAC), (MAC, MAC[:-1])]
