"""The fetcher: asks for one URL after the other, hop by hop, and turns whatever happens into a Response."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from anidata.fetch import (
    Bounds,
    Config,
    FetchError,
    ForeignHost,
    Request,
    Response,
    body,
    failures,
    headers,
    opt_out,
    validator,
)
from anidata.fetch.addresses import Lookup, system_lookup
from anidata.fetch.rules import RuleBook
from anidata.fetch.transport import Transport, check_passing
from anidata.fetch.urls import LONGEST, authority_of, path_of

ACCEPT = "image/*"


class Fetcher:
    """A session: connections, hosts and their rules. `is_mine`: whether a URL's host is asked here.

    `async with Fetcher(…) as fetcher: response = await fetcher.fetch(request)`, as many at once as you like:
    they wait for each other.
    """

    def __init__(
        self,
        config: Config,
        bounds: Bounds,
        folder: Path,
        is_mine: Callable[[str], bool] = lambda _: True,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._config, self._bounds, self._folder = config, bounds, folder
        self._is_mine, self._lookup = is_mine, lookup

    async def __aenter__(self) -> Self:
        self._transport = Transport(self._config, self._lookup)
        self._rule_book = RuleBook(self._config, self._transport, self._is_mine)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rule_book.close()
        await self._transport.close()

    async def fetch(self, request: Request) -> Response:
        """The response to a request. The caller closes its body."""
        response = Response(
            record=request.record,
            url=request.url,
            final_url=request.at or request.url,
            asked=time.time(),
            redirects=request.redirects,
        )
        while True:
            response.tries += 1
            try:
                await self._followed(request, response)
            except ForeignHost as redirect:
                response.elsewhere, response.final_url = True, redirect.url
            except FetchError as failure:
                if await self._may_try_again(response, failure):
                    continue
                response.error, response.message = failure.code, failure.message
            return response

    async def _may_try_again(self, response: Response, failure: FetchError) -> bool:
        """Whether there is another try, waited for if so."""
        if not failure.again or response.tries >= self._config.tries:
            return False
        return await self._transport.wait_for_retry(failure, response.tries, response.url, response.final_url)

    async def _followed(self, request: Request, response: Response) -> None:
        """Raise FetchError for whatever one URL and its answers do to us: the others go on.

        Raises: ForeignHost.
        """
        try:
            await self._follow(request, response)
        except failures.ODD as error:
            raise failures.odd(error) from error

    async def _follow(self, request: Request, response: Response) -> None:
        """Go from hop to hop until there is a picture. Raises: FetchError, ForeignHost."""
        url, response.redirects = request.at or request.url, request.redirects
        condition = _condition(request)
        take = partial(self._take, response, conditional=bool(condition))
        while True:
            response.final_url = url
            await self._check(url, response)
            sent = {"Accept": ACCEPT, **condition, **_referer(request, url)}
            redirect = await self._transport.exchange(url, sent, take)
            if redirect is None:
                return
            response.http, url = redirect
            if response.redirects >= self._config.max_redirects:
                raise FetchError("redirects", f"more than {self._config.max_redirects} redirects")
            response.redirects += 1

    async def _check(self, url: str, response: Response) -> None:
        """Check a hop before it is made: the address, the lane, the rules of its authority.

        Raises: FetchError, ForeignHost.
        """
        try:
            rules = await self._rule_book.of(authority_of(url)) if self._is_mine(url) else None
        except ForeignHost:
            rules = None
        if rules is None:
            raise ForeignHost(url)
        if rules.delay:
            self._transport.limit_of(url).slow_down(min(rules.delay, self._config.max_wait))
        self._heed(rules.refusal(path_of(url)), response)

    def _heed(self, refusal: opt_out.Refusal | None, response: Response) -> None:
        """Raises: FetchError: with the refusal's code, unless told to ignore it."""
        if refusal is None:
            return
        code, message = refusal
        if not self._config.ignore_opt_out:
            raise FetchError(code, message)
        earlier = filter(None, (response.ignored or "").split(", "))
        response.ignored = ", ".join(sorted({code, *earlier}))

    async def _take(self, response: Response, reply: aiohttp.ClientResponse, *, conditional: bool) -> None:
        """Take the picture from a reply if it may be taken: headers first. Raises: FetchError."""
        response.http = reply.status
        noted = headers.note(reply, response)
        if reply.status == 304 and conditional:
            return
        check_passing(reply.status, headers.wait_of(noted))
        if reply.status != 200:
            raise FetchError(f"http_{reply.status}", f"the server says {reply.status}")
        try:
            self._heed(opt_out.header_refusal(noted), response)
            response.body, response.size = await body.read_picture(reply, self._bounds, self._folder)
        except FetchError:
            reply.close()  # what is still on its way isn't waited for
            raise


def _condition(request: Request) -> dict[str, str]:
    """The header by which a server may say that nothing has changed."""
    if etag := validator(request.etag):
        return {"If-None-Match": etag}
    if modified := validator(request.modified):
        return {"If-Modified-Since": modified}
    return {}


def _referer(request: Request, url: str) -> dict[str, str]:
    referer = request.referer or ""
    is_plain = referer.isascii() and referer.isprintable() and len(referer) <= LONGEST
    if referer and is_plain and authority_of(url) == authority_of(request.url):
        return {"Referer": referer}
    return {}
