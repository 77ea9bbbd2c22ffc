"""A file by URL for those who read from front to end and can't wait in a loop: a tar, a list.

Addresses and redirects are checked as the fetcher's. Whoever names such a URL wants that very file, so no
robots.txt is asked for. Bytes come as the server sends them: nothing is unpacked here.
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

from anidata.fetch import PASSING_STATUSES, Config, FetchError, failures, validator
from anidata.fetch.addresses import Addresses, Lookup, system_lookup
from anidata.fetch.transport import REDIRECTS, session
from anidata.fetch.urls import BadURL, canonical, host_of, joined

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TOTAL = 86_400.0  # seconds for one file, however it trickles
HEADER_TIME = 60.0  # seconds until all headers of one answer are there
PATIENCE = 300.0  # seconds that may be waited for bytes in all, and one more
SLOWEST = 1024  # for each so many bytes that have come
RESUMED = 1000  # times that a lost connection is gone on with

T = TypeVar("T")


@contextmanager
def opened(url: str, config: Config, lookup: Lookup = system_lookup) -> Iterator["WebFile"]:
    """The file at a URL, of which nothing but the headers has been waited for.

    Raises: FetchError: `private_address`, `http_404` and the like. What is read from it raises OSError.
    """
    file = WebFile(url, config, lookup)
    try:
        yield file.connect()
    finally:
        file.close()


class WebFile(io.RawIOBase):
    """Reads forward.

    Where the connection is lost it is gone on with from there, if the server knows ranges and the file is
    the same.
    """

    def __init__(self, url: str, config: Config, lookup: Lookup) -> None:
        self._url, self._config = url, config
        self._loop = asyncio.new_event_loop()
        self._addresses = Addresses(allow_private=config.allow_private, lookup=lookup)
        self._session: aiohttp.ClientSession | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._position, self._deadline = 0, time.monotonic() + TOTAL
        self._waited, self._resumed = 0.0, 0
        self.size: int | None = None  # bytes, where the server says so
        self.etag = self.modified = ""  # as the server sends them

    def connect(self) -> Self:
        """Ask for the file, and wait for its headers. Raises: FetchError."""
        response = self._response = self._retry(self._request)
        self.size = response.content_length
        self.etag = validator(response.headers.get("ETag")) or ""
        self.modified = validator(response.headers.get("Last-Modified")) or ""
        return self

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Raises: OSError: the connection is lost for good, or it takes too long."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._retry(partial(self._read_some, len(view)))
        except FetchError as failure:
            # with a number: decompressors' errors have none
            raise OSError(errno.ECONNABORTED, failure.message) from failure
        view[: len(data)] = data
        self._position += len(data)
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

    def _retry(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of an attempt, in as many tries as there are. Raises: FetchError."""
        tries = 0
        while True:
            tries += 1
            try:
                return self._loop.run_until_complete(attempt())
            except (OSError, aiohttp.ClientError) as error:
                failure = failures.fetch_error(error, self._config)
            except failures.ODD as error:
                failure = failures.odd(error)
            except FetchError as error:
                failure = error
            if not failure.again or tries >= self._config.tries:
                raise failure
            self._loop.run_until_complete(asyncio.sleep(self._config.backoff * 2 ** (tries - 1)))

    async def _read_some(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises: FetchError, aiohttp's errors."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds_left(begun)):
                data = await self._next(size)
        except TimeoutError as error:
            if time.monotonic() - begun < self._seconds_left(begun):  # one of aiohttp's own
                raise
            raise FetchError(
                "slow", f"less than {SLOWEST:,} bytes a second, or not whole within {TOTAL:,.0f} s"
            ) from error
        finally:
            self._waited += time.monotonic() - begun
        if not data and self.size is not None and self._position < self.size:
            raise FetchError("cut_short", "the body ends too soon")
        return data

    def _seconds_left(self, now: float) -> float:
        """How long the next bytes may be waited for: less the slower those before them have come."""
        patience = PATIENCE + self._position / SLOWEST - self._waited
        return max(0.0, min(patience, self._deadline - now))

    async def _next(self, size: int) -> bytes:
        """Raises: FetchError, aiohttp's errors."""
        if self._response is None:
            self._response = await self._resume()
        try:
            with failures.of_libraries():
                return await self._response.content.read(size)
        except (OSError, aiohttp.ClientError):
            self._response.close()
            self._response = None
            raise

    async def _resume(self) -> aiohttp.ClientResponse:
        """The response that goes on where the last one was lost. Raises: FetchError."""
        validator = self.modified if self.etag.startswith("W/") else self.etag or self.modified
        if not validator:
            raise FetchError(
                "cut_short",
                "the connection was lost, and the server doesn't say whether the file is still the same",
            )
        self._resumed += 1
        if self._resumed > RESUMED:
            raise FetchError("cut_short", f"the connection was lost {RESUMED:,} times")
        response = await self._request({"Range": f"bytes={self._position}-", "If-Range": validator})
        if response.status != 206 or _start_of(response) != self._position:
            response.close()
            raise FetchError(
                "cut_short", "the connection was lost, and the server doesn't go on where it was"
            )
        return response

    async def _request(self, headers: dict[str, str] | None = None) -> aiohttp.ClientResponse:
        """The response behind the redirects. Raises: FetchError."""
        url = ""
        try:
            url = canonical(self._url)
            for _ in range(self._config.max_redirects + 1):
                response = await self._get(url, headers or {})
                location = response.headers.get("Location") if response.status in REDIRECTS else None
                if location is None:
                    return _checked(response)
                response.close()
                url = joined(url, location)
        except BadURL as error:
            raise FetchError("bad_redirect" if url else "bad_url", f"{error}") from error
        raise FetchError("redirects", f"more than {self._config.max_redirects} redirects")

    async def _get(self, url: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        await self._addresses.check(host_of(url))
        try:
            async with asyncio.timeout(HEADER_TIME):
                with failures.of_libraries():
                    get = self._client().get(URL(url, encoded=True), headers=headers, allow_redirects=False)
                    return await get
        except (OSError, aiohttp.ClientError) as error:
            if type(error) is TimeoutError:  # ours: aiohttp's are of other classes
                raise FetchError("slow", f"no headers within {HEADER_TIME:g} s") from error
            raise failures.fetch_error(error, self._config) from error

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = session(self._config, self._addresses)
        return self._session


def _start_of(response: aiohttp.ClientResponse) -> int | None:
    """The byte that a part of a file begins at; None: the server doesn't say."""
    match = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _checked(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """Raises: FetchError: there is no file in it."""
    status = response.status
    if status not in (200, 206):
        response.close()
        raise FetchError(f"http_{status}", f"the server says {status}", again=status in PASSING_STATUSES)
    return response
