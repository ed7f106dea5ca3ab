"""Which address a request came from, as far as the server can know it.

``X-Forwarded-For`` is written by anybody; only what a proxy of one's own has added to it is worth anything. So the
address is the connection's, unless that is a declared proxy; then it is the last one in the header that no declared
proxy has written. What cannot be read ends the search: the address before it is the answer.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from stepup.errors import ConfigurationError

Network = IPv4Network | IPv6Network
_IPV6_SITE: Final = 64
_MAX_HOPS: Final = 32


def proxy_networks(proxies: Collection[str]) -> tuple[Network, ...]:
    """The networks that *proxies* name, such as ``10.0.0.0/8`` or one address.

    Raises:
        ConfigurationError: for one that is no network.
    """
    try:
        if isinstance(proxies, str):
            raise ValueError("a string is a collection too")
        return tuple(ip_network(one) for one in proxies)
    except ValueError:
        raise ConfigurationError(
            "proxies= must be a list of networks.", remedy='Write proxies=["10.0.0.0/8"], without host bits.'
        ) from None


def client_ip(peer: str | None, forwarded: str, proxies: tuple[Network, ...]) -> str | None:
    """The client's address: *peer* is the connection's, *forwarded* the value of ``X-Forwarded-For``."""
    address = _read(peer)
    if address is None:
        return None
    for hop in reversed(forwarded.split(",")[-_MAX_HOPS:] if forwarded else []):
        if not any(address in network for network in proxies):
            break
        before = _read(hop)
        if before is None:
            break
        address = before
    return str(address)


def network_of(ip: str | None) -> str | None:
    """What an address counts as where requests are counted: itself, or for IPv6 its /64, which is one customer's.

    For risk assessors and rate limits of your own; stepup counts by person and factor, which no address can dodge.
    """
    address = _read(ip)
    if address is None:
        return None
    return str(ip_network((address, _IPV6_SITE), strict=False)) if isinstance(address, IPv6Address) else str(address)


def _read(text: str | None) -> IPv4Address | IPv6Address | None:
    """An address, without a port or brackets; IPv4 inside IPv6 is IPv4."""
    found = (text or "").strip()
    if found.startswith("["):
        found = found[1:].partition("]")[0]
    elif found.count(":") == 1:
        found = found.partition(":")[0]
    try:
        address = ip_address(found.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
