"""Which addresses may be connected to: those of the open internet, looked up once for each name.

A name's addresses are checked when it is first looked up and kept for good: an answer that changes later is
never seen. Every socket, whatever led to it, is made for an address that is checked again.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from anidata.fetch import FetchError

LOOKUP_TIME = 30.0  # seconds for the addresses of one name
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str], Awaitable[list[str]]]  # name → addresses; OSError where there are none

# IANA's registries of special-purpose addresses, and of multicast; and Azure's host of metadata, which is
# among public ones
_CLOSED_4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
_OPEN_6 = ipaddress.IPv6Network("2000::/3")  # all that has been given out
_CLOSED_6 = [
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20", "2620:4f:8000::/48")
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether an address lies in the open internet.

    One that holds another (IPv4-mapped, NAT64, 6to4) lies there if that does.
    """
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _CLOSED_4)
    if address.scope_id:
        return False
    held = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        held = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if held is not None:
        return is_public(str(held))
    return address in _OPEN_6 and not any(address in network for network in _CLOSED_6)


async def system_lookup(name: str) -> list[str]:
    """The addresses that the system knows of a name."""
    entries = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in entries))


class Addresses(AbstractResolver):
    """The checked addresses of each name, looked up once.

    For aiohttp it is a resolver that knows what has been checked, and nothing else.
    """

    def __init__(self, *, allow_private: bool, lookup: Lookup = system_lookup) -> None:
        self._allow_private, self._lookup = allow_private, lookup
        self._checked: dict[str, asyncio.Future[list[str]]] = {}

    async def check(self, host: str) -> list[str]:
        """The addresses of a host. Raises: FetchError: `unresolved`, `private_address`."""
        known = self._checked.get(host)
        if known is None:
            known = self._checked[host] = asyncio.ensure_future(self._look_up(host))
        try:
            return await asyncio.shield(known)
        except FetchError as error:
            if error.again and self._checked.get(host) is known:
                del self._checked[host]
            raise FetchError(error.code, error.message, again=error.again) from None

    async def _look_up(self, host: str) -> list[str]:
        try:
            async with asyncio.timeout(LOOKUP_TIME):
                addresses = [host] if _is_address(host) else await self._lookup(host)
        except (OSError, ValueError) as error:  # a name that is none: UnicodeError, and others
            why = str(error) or type(error).__name__
            raise FetchError(
                "unresolved", f"{host} has no address ({why})", again=isinstance(error, OSError)
            ) from error
        if not addresses:
            raise FetchError("unresolved", f"{host} has no address")
        self._check_open(addresses)
        return addresses

    def _check_open(self, addresses: list[str]) -> None:
        """Raises: FetchError: `private_address`: one of them may not be connected to."""
        if self._allow_private:
            return
        for address in addresses:
            if not is_public(address):
                raise FetchError(
                    "private_address",
                    f"{address} is no address of the open internet; --allow-private asks it all the same",
                )

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  of aiohttp's own method
    ) -> list[ResolveResult]:
        return [_resolved(host, address, port) for address in await self.check(host)]

    def make_socket(self, info: Any) -> socket.socket:
        """The last gate: no socket is made for an address that isn't allowed."""
        family, kind, protocol, _, address = info
        self._check_open([str(address[0])])
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        pass

    def connector(self) -> aiohttp.TCPConnector:
        """A connector that reaches checked addresses alone."""
        return aiohttp.TCPConnector(
            resolver=self, use_dns_cache=False, limit=0, keepalive_timeout=10, socket_factory=self.make_socket
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolved(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=family,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
