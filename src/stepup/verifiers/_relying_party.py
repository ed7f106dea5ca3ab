"""What ``Passkey`` is configured with: id, origins, algorithms, texts and choices, checked once, when it is made.

An origin is compared as the browser writes it, so what a browser would never write is refused here: a path, a trailing
slash, upper case, the default port. ``127.0.0.1`` can never be a relying-party id; ``localhost`` can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, cast

from stepup.context import require_text
from stepup.errors import ConfigurationError, InvalidInput

from ._cose import ALGORITHMS, OFFERED
from ._webauthn import Party

_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_ORIGIN: Final = re.compile(rf"(?P<scheme>https?)://(?P<host>{_LABEL}(\.{_LABEL})*)(:(?P<port>[1-9][0-9]{{0,4}}))?")
_APP: Final = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}|ios:bundle-id:[A-Za-z0-9.-]{1,155}")
_NUMBERS: Final = re.compile(r"[0-9.]+")
_DEFAULT_PORTS: Final = {"https": "443", "http": "80"}


def library() -> None:
    """Import the library, so that a gate that lacks it fails when it is made and not at the first answer.

    Raises:
        ConfigurationError: where it is not installed.
    """
    try:
        import webauthn  # noqa: F401  # pyright: ignore[reportUnusedImport] -- only whether it is there
    except ImportError:
        raise ConfigurationError(
            "Passkey() needs the package webauthn.", remedy="pip install 'stepup-auth[passkeys]'"
        ) from None


def party(rp_id: object, origins: object, top_origins: object) -> Party:
    """The relying party of these settings.

    Raises:
        ConfigurationError: for an id that is no domain, no origin at all, or one that no page of the id can have.
    """
    if not isinstance(rp_id, str) or not _DOMAIN.fullmatch(rp_id) or _NUMBERS.fullmatch(rp_id):
        raise ConfigurationError(
            "Passkey(rp_id=) must be a domain in lower case.",
            remedy='Write "example.org", without scheme and port; for tests "localhost", never an address.',
        )
    own = _listed("origins", origins)
    if not own:
        raise ConfigurationError("Passkey(origins=) is empty.", remedy=f'Write ["https://{rp_id}"].')
    for origin in own:
        host = _host("origins", origin)
        if host is not None and host != rp_id and not host.endswith(f".{rp_id}"):
            raise ConfigurationError(
                f"Passkey(origins=): no page of {origin!r} can use the id {rp_id!r}.",
                remedy="Leave it out, or use an id that is its host or a parent domain of it.",
            )
    around = _listed("allowed_top_origins", top_origins)
    for origin in around:
        _host("allowed_top_origins", origin)
    return Party(rp_id, own, around)


def _listed(name: str, given: object) -> frozenset[str]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigurationError(f"Passkey({name}=) must be a list of origins.", remedy='Write ["https://..."].')
    found = tuple(cast("Iterable[object]", given))
    if not all(isinstance(origin, str) for origin in found):
        raise ConfigurationError(f"Passkey({name}=) must be a list of strings.", remedy='Write ["https://..."].')
    return frozenset(cast("tuple[str, ...]", found))


def _host(name: str, origin: str) -> str | None:
    """The host of an origin as a browser writes it; None for that of an app."""
    if _APP.fullmatch(origin):
        return None
    match = _ORIGIN.fullmatch(origin)
    if match is None or match["port"] == _DEFAULT_PORTS[match["scheme"]]:
        raise ConfigurationError(
            f"Passkey({name}=): {origin!r} is no origin as browsers write it.",
            remedy="Write scheme, host and a port that is not the default: no path, no slash at the end, lower case.",
        )
    if match["scheme"] == "http" and not (match["host"] == "localhost" or match["host"].endswith(".localhost")):
        raise ConfigurationError(
            f"Passkey({name}=): {origin!r} is not secure.", remedy="Use https; http works on localhost alone."
        )
    return match["host"]


def numbers_of(algorithms: object) -> tuple[int, ...]:
    """The COSE numbers of *algorithms*, in their order.

    Raises:
        ConfigurationError: for none, for one that is not known, and for one that stands there twice.
    """
    numbers = {name: number for number, name in ALGORITHMS.items()}
    listed = isinstance(algorithms, Iterable) and not isinstance(algorithms, str)
    names = tuple(cast("Iterable[object]", algorithms)) if listed else ()
    known = [numbers[name] for name in names if isinstance(name, str) and name in numbers]
    if not names or len(set(known)) != len(names):
        raise ConfigurationError(
            f"Passkey(algorithms=) must list some of {', '.join(numbers)}, each once.",
            remedy=f"Leave it out for {', '.join(OFFERED)}.",
        )
    return tuple(known)


def text(name: str, value: object) -> str:
    try:
        return require_text(f"Passkey({name}=)", value, limit=64)
    except InvalidInput as error:
        raise ConfigurationError(str(error)) from None


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ConfigurationError(f"Passkey({name}=) must be one of {', '.join(allowed)}.")
    return str(value)
