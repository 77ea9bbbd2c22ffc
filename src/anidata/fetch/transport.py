"""Single requests over connections to checked addresses, each in its host's turn.

And the waits between two tries.
"""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp
from yarl import URL

from anidata.fetch import PASSING_STATUSES, Config, FetchError, failures
from anidata.fetch.addresses import Addresses, Lookup
from anidata.fetch.rate_limit import Clock, HostLimit, HostLimits
from anidata.fetch.urls import BadURL, host_of, joined

REDIRECTS = (301, 302, 303, 307, 308)
HEADER_LIMIT = 16 << 10  # bytes of one header
HEADERS = 200  # of one response
GIVEN_UP = 20  # requests in a row that a host has lost
Take = Callable[[aiohttp.ClientResponse], Awaitable[None]]  # reads a reply that is no redirect


class Redirect(NamedTuple):
    """Where a hop leads."""

    status: int
    url: str


def session(config: Config, addresses: Addresses) -> aiohttp.ClientSession:
    """Connections to checked addresses alone, without cookies; bodies come as they are sent."""
    client = aiohttp.ClientSession(
        connector=addresses.connector(),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": config.user_agent, "Accept-Encoding": "identity"},
        trust_env=False,  # neither proxies nor .netrc
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=config.connect_time or None, sock_read=config.idle_time or None
        ),
        auto_decompress=False,
        max_line_size=HEADER_LIMIT,
        max_field_size=HEADER_LIMIT,
        max_headers=HEADERS,
    )
    # it would ask again at once, out of turn; there is no setting for it
    client._retry_connection = False  # noqa: SLF001
    return client


class Transport:
    """A session with its connections, and a limit for each host. Made in the loop that it is used in."""

    def __init__(self, config: Config, lookup: Lookup) -> None:
        self._config = config
        self.addresses = Addresses(allow_private=config.allow_private, lookup=lookup)
        self._limits = HostLimits(config, Clock(asyncio.get_running_loop().time))
        self._session = session(config, self.addresses)

    async def close(self) -> None:
        await self._session.close()

    def limit_of(self, url: str) -> HostLimit:
        """The limit of a URL's host."""
        return self._limits[host_of(url)]

    async def exchange(
        self, url: str, headers: dict[str, str], take: Take, longest: float = math.inf
    ) -> Redirect | None:
        """Make one request in its host's turn; None: `take` has taken the reply. Raises: FetchError.

        longest: seconds that it may take, where the config doesn't set less.
        """
        limit = self.limit_of(url)
        async with limit:
            if limit.lost >= GIVEN_UP:
                message = f"{GIVEN_UP} requests in a row were lost, so its host is left alone"
                raise FetchError("given_up", message)
            try:
                seconds = min(self._config.total_time or math.inf, longest)
                async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                    return await self._request(limit, url, headers, take)
            except BadURL as error:
                raise FetchError("bad_redirect", f"redirected to {error}") from error
            except (OSError, aiohttp.ClientError) as error:
                failure = failures.fetch_error(error, self._config)
                limit.lost += failure.again
                raise failure from error

    async def _request(
        self, limit: HostLimit, url: str, headers: dict[str, str], take: Take
    ) -> Redirect | None:
        """Raises: BadURL, FetchError, aiohttp's errors."""
        with failures.of_libraries():
            get = self._session.get(URL(url, encoded=True), headers=headers, allow_redirects=False)
            reply = await get
        async with reply:
            limit.lost = 0
            if reply.status in REDIRECTS and (location := reply.headers.get("Location")):
                return Redirect(reply.status, joined(url, location))
            await take(reply)
            return None

    async def wait_for_retry(self, failure: FetchError, tries: int, url: str, final_url: str) -> bool:
        """Wait before the next try; False: the host asks for too long.

        All of the host's requests wait with this one if the host asks for it.
        """
        if failure.wait > self._config.max_wait:
            return False
        if failure.wait:
            self.limit_of(final_url).pause(failure.wait)
        else:
            longest = min(self._config.max_wait, self._config.backoff * 2 ** (tries - 1))
            await asyncio.sleep(longest * (1 + _jitter(url, tries)) / 2)
        return True


def _jitter(url: str, tries: int) -> float:
    """A number in [0, 1) that is the same for each try of a URL."""
    digest = hashlib.sha256(f"{url}\0{tries}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def check_passing(status: int, wait: float = 0.0) -> None:
    """Raises: FetchError: `http_503` and the like, which may be others soon."""
    if status in PASSING_STATUSES:
        raise FetchError(f"http_{status}", f"the server says {status}", again=True, wait=wait)
