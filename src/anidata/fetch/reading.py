"""A file by URL for those who read from front to end and can't wait in a loop: a tar, a list. Addresses and redirects are checked as the fetcher's.

Whoever names such a URL wants that very file, so no robots.txt is asked for. Bytes come as the server sends them: nothing is unpacked here.
"""

import asyncio
import errno
import io
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiohttp
from yarl import URL

from anidata.fetch import Config, Unfetched, failures
from anidata.fetch.addresses import Addresses, Lookup, system_lookup
from anidata.fetch.client import PASSING, REDIRECTS, session
from anidata.fetch.urls import BadURL, canonical, host_of, joined

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TOTAL = 86_400.0  # seconds for one file, however it trickles

T = TypeVar("T")


@contextmanager
def opened(url: str, config: Config, lookup: Lookup = system_lookup) -> Iterator["WebFile"]:
    """The file at a URL, of which nothing but the headers has been waited for.

    Raises: Unfetched: `private_address`, `http_404` and the like. What is read from it raises OSError.
    """
    file = WebFile(url, config, lookup)
    try:
        yield file.begun()
    finally:
        file.close()


class WebFile(io.RawIOBase):
    """Reads forward. Where the connection is lost it is gone on with from there, if the server knows ranges and the file is the same."""

    def __init__(self, url: str, config: Config, lookup: Lookup) -> None:
        self._url, self._config = url, config
        self._loop = asyncio.new_event_loop()
        self._addresses = Addresses(allow_private=config.allow_private, lookup=lookup)
        self._session: aiohttp.ClientSession | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._place, self._end = 0, time.monotonic() + TOTAL
        self.size: int | None = None  # bytes, where the server says so
        self.etag = self.modified = ""  # as the server sends them

    def begun(self) -> Self:
        response = self._response = self._tried(self._asked)
        self.size = response.content_length
        self.etag, self.modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        return self

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Raises: OSError: the connection is lost for good, or it takes too long."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._tried(partial(self._some, len(view)))
        except Unfetched as why:
            raise OSError(
                errno.ECONNABORTED, why.message
            ) from why  # with a number: decompressors' errors have none
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        if not self._loop.is_closed():
            if self._response:
                self._response.close()
            if self._session:
                self._loop.run_until_complete(self._session.close())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
        super().close()

    def _tried(self, what: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What comes of it, in as many tries as there are. Raises: Unfetched."""
        tried = 0
        while True:
            tried += 1
            try:
                return self._loop.run_until_complete(what())
            except (OSError, aiohttp.ClientError) as error:
                why = failures.unfetched(error, self._config)
            except Unfetched as error:
                why = error
            if not why.again or tried >= self._config.tries:
                raise why
            self._loop.run_until_complete(asyncio.sleep(self._config.backoff * 2 ** (tried - 1)))

    async def _some(self, size: int) -> bytes:
        """Raises: Unfetched, aiohttp's errors."""
        if time.monotonic() > self._end:
            raise Unfetched("slow", f"not whole within {TOTAL:,.0f} s")
        if self._response is None:
            self._response = await self._resumed()
        try:
            data = await self._response.content.read(size)
        except (OSError, aiohttp.ClientError):
            self._response.close()
            self._response = None
            raise
        if not data and self.size is not None and self._place < self.size:
            raise Unfetched("cut_short", "the body ends too soon")
        return data

    async def _resumed(self) -> aiohttp.ClientResponse:
        same = (self.etag if not self.etag.startswith("W/") else "") or self.modified
        if not same:
            raise Unfetched(
                "cut_short",
                "the connection was lost, and the server doesn't say whether the file is still the same",
            )
        response = await self._asked({"Range": f"bytes={self._place}-", "If-Range": same})
        found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if response.status != 206 or not found or int(found[1]) != self._place:
            response.close()
            raise Unfetched("cut_short", "the connection was lost, and the server doesn't go on where it was")
        return response

    async def _asked(self, headers: dict[str, str] | None = None) -> aiohttp.ClientResponse:
        """The answer behind the redirects. Raises: Unfetched."""
        url = ""
        try:
            url = canonical(self._url)
            for _ in range(self._config.max_redirects + 1):
                response = await self._answer(url, headers or {})
                location = response.headers.get("Location") if response.status in REDIRECTS else None
                if location is None:
                    return _good(response)
                response.close()
                url = joined(url, location)
        except BadURL as error:
            raise Unfetched("bad_redirect" if url else "bad_url", f"{error}") from error
        raise Unfetched("redirects", f"more than {self._config.max_redirects} redirects")

    async def _answer(self, url: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        await self._addresses.check(host_of(url))
        try:
            return await self._client().get(URL(url, encoded=True), headers=headers, allow_redirects=False)
        except (OSError, aiohttp.ClientError) as error:
            raise failures.unfetched(error, self._config) from error

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = session(self._config, self._addresses)
        return self._session


def _good(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    if response.status not in (200, 206):
        response.close()
        raise Unfetched(
            f"http_{response.status}", f"the server says {response.status}", again=response.status in PASSING
        )
    return response
