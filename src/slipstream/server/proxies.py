"""Whom a request comes from, by the headers of proxies that are trusted."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from slipstream.server.head import Noted

Client = tuple[str, int]
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNIX = "unix"
"""In a list of proxies, whoever connects by a unix socket."""

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""What a proxy may say, and the scheme of HTTP that it means."""
_PAIR = re.compile(r'[\s;,]*([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"=]*))')


class Proxies:
    """The peers whose headers are believed.

    Args:
        listed: Addresses and networks, `unix`, or `*` for everybody; as a list, or separated by commas.
    """

    def __init__(self, listed: str | Sequence[str]) -> None:
        entries = [entry.strip() for entry in (listed.split(",") if isinstance(listed, str) else listed)]
        self._all = "*" in entries
        self._literal = frozenset(entries) - {""}
        self._networks: list[Network] = []
        for entry in self._literal:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                continue  # a name, for which there is only comparison
        self.trusts = lru_cache(4096)(self._trusts)

    def _trusts(self, host: str) -> bool:
        """Whether a host is one of the proxies."""
        if self._all or host in self._literal:
            return True
        try:
            address: Address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def origin(self, noted: Noted, client: Client | None, scheme: str) -> tuple[Client | None, str]:
        """Return client and scheme of a request that a trusted peer has sent on.

        `Forwarded` (RFC 7239) counts only if there is no X-Forwarded header: a proxy that writes one kind may let
        through what a client has written of the other.
        """
        hops, said = noted.get(b"x-forwarded-for"), noted.get(b"x-forwarded-proto")
        if hops is not None or said is not None:
            names = [] if hops is None else [hop.strip() for hop in hops.decode("latin-1").split(",")]
            said_scheme = "" if said is None else said.decode("latin-1").rpartition(",")[2].strip()
        elif b"forwarded" in noted:
            names, said_scheme = read_forwarded(noted[b"forwarded"].decode("latin-1"))
        else:
            return client, scheme
        return self._first_stranger(names) or client, _SCHEMES.get(said_scheme, scheme)

    def _first_stranger(self, names: Sequence[str]) -> Client | None:
        """Return the last hop that is no proxy of ours, since each proxy writes its peer at the end."""
        hops = [split_host(name) for name in names]
        if not hops or not hops[0][0]:
            return None
        if self._all:
            return hops[0]
        return next((hop for hop in reversed(hops) if not self.trusts(hop[0])), hops[0])


def split_host(name: str) -> Client:
    """Split a name into host and port; the port is 0 if there is none."""
    host, port = name, ""
    if name.startswith("[") and "]" in name:
        host, _, port = name[1:].partition("]")
        port = port.removeprefix(":")
    elif name.count(":") == 1:
        host, _, port = name.partition(":")
    if port and not (port.isascii() and port.isdecimal()):
        return (host, 0) if name.startswith("[") else (name, 0)
    return host, int(port or 0)


def read_forwarded(value: str) -> tuple[list[str], str]:
    """Return the names of all hops that a Forwarded header lists, and the scheme that the last one says."""
    names, scheme = [], ""
    end = 0
    while (pair := _PAIR.match(value, end)) is not None:
        end = pair.end()
        said = pair[3] if pair[2] is None else pair[2].replace("\\", "")
        if pair[1].lower() == "for":
            names.append(said)
        elif pair[1].lower() == "proto":
            scheme = said.lower()
    return names, scheme
