"""The rules of each authority, asked for once: its robots.txt and its tdmrep.json."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiohttp

from anidata.fetch import Config, FetchError, ForeignHost, body, opt_out
from anidata.fetch.transport import Transport, check_passing
from anidata.fetch.urls import host_of

TIME = 60.0  # seconds for one request for rules: all of an authority's URLs wait for it
REDIRECTS = 5  # that are followed to a robots.txt, as RFC 9309 has it


class RuleBook:
    """The rules of all authorities that are asked for anything.

    is_mine: whether a URL's host is asked here.
    """

    def __init__(self, config: Config, transport: Transport, is_mine: Callable[[str], bool]) -> None:
        self._config, self._transport, self._is_mine = config, transport, is_mine
        self._tasks: dict[str, asyncio.Task[opt_out.Rules]] = {}

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def of(self, authority: str) -> opt_out.Rules:
        """The rules of an authority, asked for once, however that ends.

        Raises: FetchError, ForeignHost: it can't be asked.
        """
        task = self._tasks.get(authority)
        if task is None:
            task = self._tasks[authority] = asyncio.create_task(self._ask(authority))
        try:
            return task.result() if task.done() else await asyncio.shield(task)
        except FetchError as failure:
            raise FetchError(failure.code, failure.message) from None

    async def _ask(self, authority: str) -> opt_out.Rules:
        """Ask an authority for its rules.

        RFC 9309: a robots.txt that isn't there (4xx) forbids nothing, one that can't be had (5xx) everything.
        """
        try:
            text = await self._text(f"{authority}/robots.txt", opt_out.ROBOTS_LIMIT)
        except FetchError as failure:
            if not failure.code.startswith("http_"):
                raise
            return opt_out.Rules(forbidden=("robots", f"its robots.txt can't be had: {failure.message}"))
        rules = opt_out.Rules()
        if text is not None:
            rules = opt_out.from_robots(text.decode("utf-8-sig", "replace"))
        url = authority + opt_out.TDM_PATH
        if rules.refusal(opt_out.TDM_PATH) is None:
            with suppress(FetchError):  # what can't be had reserves nothing
                rules = opt_out.with_reservations(rules, await self._text(url, opt_out.TDM_LIMIT) or b"")
        return rules

    async def _text(self, url: str, limit: int) -> bytes | None:
        """The content of a small file of rules; None: there is none. Raises: FetchError, ForeignHost."""
        tries = 0
        while True:
            tries += 1
            try:
                status, text = await self._status_and_text(url, limit)
                check_passing(status)
            except FetchError as failure:
                if not (failure.again and tries < self._config.tries):
                    raise
                if not await self._transport.wait_for_retry(failure, tries, url, url):
                    raise
            else:
                return text if status == 200 else None

    async def _status_and_text(self, url: str, limit: int) -> tuple[int, bytes]:
        """Status and first bytes of a file of rules. Raises: FetchError, ForeignHost."""
        replies: list[tuple[int, bytes]] = []

        async def take(reply: aiohttp.ClientResponse) -> None:
            text = await body.read_text(reply, limit) if reply.status == 200 else b""
            replies.append((reply.status, text))

        for _ in range(REDIRECTS + 1):
            if not self._is_mine(url):
                raise ForeignHost(url)
            await self._transport.addresses.check(host_of(url))
            redirect = await self._transport.exchange(url, {}, take, TIME)
            if redirect is None:
                return replies[0]
            url = redirect.url
        return 404, b""
