"""The fetcher: asks for one URL after the other, hop by hop, and turns whatever happens into an Answer."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from anidata.fetch import Answer, Bounds, Config, Elsewhere, Unfetched, Wish, body, failures, opt_out
from anidata.fetch.addresses import Addresses, Lookup, system_lookup
from anidata.fetch.rate_limit import Clock, Host, Hosts
from anidata.fetch.urls import BadURL, authority_of, host_of, joined, path_of

ACCEPT = "image/*"
REDIRECTS = (301, 302, 303, 307, 308)
PASSING = (408, 425, 429, 500, 502, 503, 504)  # status codes that may be others soon
HEADER_LIMIT = 16 << 10  # bytes of one header
HEADERS = 200  # of one answer
GIVEN_UP = 20  # requests in a row that a host has lost
Take = Callable[[aiohttp.ClientResponse], Awaitable[None]]
Hop = tuple[int, str]
NOTED = {
    "etag": "etag",
    "last-modified": "modified",
    "content-type": "type",
    "x-robots-tag": "robots_tag",
    "tdm-reservation": "tdm_reservation",
    "tdm-policy": "tdm_policy",
    "content-usage": "content_usage",
    "content-signal": None,
    "retry-after": None,
}  # headers that matter to rights and to asking again → column
RULES_REDIRECTS = 5  # that are followed to a robots.txt, as RFC 9309 has it


def session(config: Config, addresses: Addresses) -> aiohttp.ClientSession:
    """Connections to checked addresses alone, without cookies; bodies come as they are sent."""
    found = aiohttp.ClientSession(
        connector=addresses.connector(),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": config.user_agent, "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=config.connect_time or None, sock_read=config.idle_time or None
        ),
        auto_decompress=False,
        max_line_size=HEADER_LIMIT,
        max_field_size=HEADER_LIMIT,
        max_headers=HEADERS,
    )
    found._retry_connection = False  # noqa: SLF001  it would ask again at once, out of turn; there is no setting for it
    return found


class Fetcher:
    """A session: connections, hosts and their rules. `mine` tells whether a host is asked here; elsewhere lead redirects to others.

    `async with Fetcher(…) as fetcher: answer = await fetcher.fetch(wish)`, as many at once as you like: they wait for each other.
    """

    def __init__(
        self,
        config: Config,
        bounds: Bounds,
        folder: Path,
        mine: Callable[[str], bool] = lambda _: True,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._config, self._bounds, self._folder, self._mine = config, bounds, folder, mine
        self._addresses = Addresses(allow_private=config.allow_private, lookup=lookup)
        self._welcomes: dict[str, asyncio.Task[opt_out.Welcome]] = {}

    async def __aenter__(self) -> Self:
        self._hosts = Hosts(self._config, Clock(asyncio.get_running_loop().time))
        self._session = session(self._config, self._addresses)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._welcomes.values():
            task.cancel()
        await self._session.close()

    async def fetch(self, wish: Wish) -> Answer:
        """What became of a wish. The caller closes the answer's body."""
        answer = Answer(wish.record, wish.url, wish.at or wish.url, time.time(), redirects=wish.redirects)
        while True:
            answer.tries += 1
            try:
                await self._follow(wish, answer)
            except Elsewhere as there:
                answer.elsewhere, answer.final_url = True, there.url
            except Unfetched as why:
                if why.again and answer.tries < self._config.tries and await self._waited(answer, why):
                    continue
                answer.error, answer.message = why.code, why.message
            return answer

    async def _waited(self, answer: Answer, why: Unfetched) -> bool:
        """Wait before the next try, all of the host's requests with this one if the host asks for it. False: it asks for too long."""
        if why.wait > self._config.max_wait:
            return False
        if why.wait:
            self._host(answer.final_url).pause(why.wait)
        else:
            share = (
                int.from_bytes(hashlib.sha256(f"{answer.url}\0{answer.tries}".encode()).digest()[:4], "big")
                / 2**32
            )
            await asyncio.sleep(
                min(self._config.max_wait, self._config.backoff * 2 ** (answer.tries - 1)) * (1 + share) / 2
            )
        return True

    async def _follow(self, wish: Wish, answer: Answer) -> None:
        """From hop to hop until there is a picture. Raises: Unfetched, Elsewhere."""
        url, answer.redirects = wish.at or wish.url, wish.redirects
        since = (
            {"If-None-Match": wish.etag}
            if wish.etag
            else {"If-Modified-Since": wish.modified}
            if wish.modified
            else {}
        )
        take = partial(self._take, answer, conditional=bool(since))
        while True:
            answer.final_url = url
            await self._check(url, answer)
            referer = (
                {"Referer": wish.referer}
                if wish.referer and authority_of(url) == authority_of(wish.url)
                else {}
            )
            found = await self._exchange(url, {"Accept": ACCEPT, **since, **referer}, take)
            if found is None:
                return
            answer.http, url = found
            if answer.redirects >= self._config.max_redirects:
                raise Unfetched("redirects", f"more than {self._config.max_redirects} redirects")
            answer.redirects += 1

    async def _check(self, url: str, answer: Answer) -> None:
        """Whether a hop may be made: the address, the lane, the rules of its authority. Raises: Unfetched, Elsewhere."""
        try:
            rules = await self._welcome(authority_of(url)) if self._mine(url) else None
        except Elsewhere:
            rules = None
        if rules is None:
            raise Elsewhere(url)
        if rules.delay:
            self._host(url).slow_down(min(rules.delay, self._config.max_wait))
        self._heed(rules.refusal(url, path_of(url)), answer)

    def _heed(self, refusal: opt_out.Refusal | None, answer: Answer) -> None:
        """Raises: Unfetched: with the refusal's code, unless told to ignore it."""
        if refusal is None:
            return
        code, message = refusal
        if not self._config.ignore_opt_out:
            raise Unfetched(code, message)
        answer.ignored = ", ".join(sorted({code, *filter(None, (answer.ignored or "").split(", "))}))

    async def _exchange(self, url: str, headers: dict[str, str], take: Take) -> Hop | None:
        """One request in its host's turn. Returns status and URL of a redirect; None: the answer was taken. Raises: Unfetched."""
        host = self._host(url)
        async with host:
            if host.lost >= GIVEN_UP:
                raise Unfetched(
                    "given_up", f"{GIVEN_UP} requests in a row were lost, so its host is left alone"
                )
            try:
                async with asyncio.timeout(self._config.total_time or None):
                    async with self._session.get(
                        URL(url, encoded=True), headers=headers, allow_redirects=False
                    ) as response:
                        host.lost = 0
                        if response.status in REDIRECTS and (location := response.headers.get("Location")):
                            return response.status, joined(url, location)
                        await take(response)
                        return None
            except BadURL as error:
                raise Unfetched("bad_redirect", f"redirected to {error}") from error
            except (OSError, aiohttp.ClientError) as error:
                why = failures.unfetched(error, self._config)
                host.lost += why.again
                raise why from error

    def _host(self, url: str) -> Host:
        return self._hosts[host_of(url)]

    async def _take(self, answer: Answer, response: aiohttp.ClientResponse, *, conditional: bool) -> None:
        """The picture, if the answer is one that may be taken: headers first. Raises: Unfetched."""
        answer.http = response.status
        headers = _noted(response, answer)
        if response.status == 304 and conditional:
            return
        _check_passing(response.status, _wait(headers))
        if response.status != 200:
            raise Unfetched(f"http_{response.status}", f"the server says {response.status}")
        try:
            self._heed(opt_out.header_refusal(headers), answer)
            answer.body, answer.size = await body.read_picture(response, self._bounds, self._folder)
        except Unfetched:
            response.close()  # what is still on its way isn't waited for
            raise

    async def _welcome(self, authority: str) -> opt_out.Welcome:
        """What an authority says of its URLs, asked once, whatever comes of it. Raises: Unfetched, Elsewhere: it can't be asked."""
        task = self._welcomes.get(authority)
        if task is None:
            task = self._welcomes[authority] = asyncio.create_task(self._ask_welcome(authority))
        try:
            return task.result() if task.done() else await asyncio.shield(task)
        except Unfetched as why:
            raise Unfetched(why.code, why.message) from None

    async def _ask_welcome(self, authority: str) -> opt_out.Welcome:
        """RFC 9309: a robots.txt that isn't there (4xx) forbids nothing, one that can't be had (5xx) everything."""
        try:
            text = await self._rules(f"{authority}/robots.txt", opt_out.ROBOTS_LIMIT)
        except Unfetched as why:
            if not why.code.startswith("http_"):
                raise
            return opt_out.Welcome(forbidden=f"its robots.txt can't be had: {why.message}")
        found = (
            opt_out.Welcome() if text is None else opt_out.from_robots(text.decode("utf-8-sig", "replace"))
        )
        if found.refusal(at := authority + opt_out.TDM_PATH, opt_out.TDM_PATH) is None:
            with suppress(Unfetched):  # what can't be had reserves nothing
                found = opt_out.with_rules(found, await self._rules(at, opt_out.TDM_LIMIT) or b"")
        return found

    async def _rules(self, url: str, limit: int) -> bytes | None:
        """A small file of rules; None: there is none. Raises: Unfetched, Elsewhere."""
        asked = Answer("", url, url)
        while True:
            asked.tries += 1
            try:
                status, text = await self._small_file(url, limit)
                _check_passing(status)
            except Unfetched as why:
                if not why.again or asked.tries >= self._config.tries or not await self._waited(asked, why):
                    raise
            else:
                return text if status == 200 else None

    async def _small_file(self, url: str, limit: int) -> tuple[int, bytes]:
        """Status and first bytes of a file that rules are in. Raises: Unfetched, Elsewhere."""
        found: list[tuple[int, bytes]] = []

        async def take(response: aiohttp.ClientResponse) -> None:
            found.append(
                (response.status, await body.read_text(response, limit) if response.status == 200 else b"")
            )

        for _ in range(RULES_REDIRECTS + 1):
            if not self._mine(url):
                raise Elsewhere(url)
            await self._addresses.check(host_of(url))
            there = await self._exchange(url, {}, take)
            if there is None:
                return found[0]
            _, url = there
        return 404, b""


def _check_passing(status: int, wait: float = 0.0) -> None:
    """Raises: Unfetched: `http_503` and the like, which may be others soon."""
    if status in PASSING:
        raise Unfetched(f"http_{status}", f"the server says {status}", again=True, wait=wait)


def _noted(response: aiohttp.ClientResponse, answer: Answer) -> dict[str, list[str]]:
    """The headers that matter, by name in lower case; they are written down too."""
    found = {name: response.headers.getall(name) for name in NOTED if name in response.headers}
    for name, values in found.items():
        if column := NOTED[name]:
            setattr(answer, column, ", ".join(values).encode("utf-8", "replace").decode().replace("\0", ""))
    return found


def _wait(headers: dict[str, list[str]]) -> float:
    """Seconds that a Retry-After asks for, in seconds or as a date; 0 where there is none."""
    value = headers.get("retry-after", [""])[0].strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
