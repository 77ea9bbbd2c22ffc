"""A web of our own on loopback: servers that behave, and servers that misbehave in every way there is.

Each writes down what it was asked.
"""

import asyncio
import gzip
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import cv2
import pytest

from anidata.stages.ingest.journal import Journal
from drawings import drawing

MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def breaking_off(monkeypatch: pytest.MonkeyPatch, entries: int) -> Iterator[None]:
    """A fetch in which something fails once a journal has so many entries."""
    add = Journal.add

    def fail(journal: Journal, *args: Any) -> None:
        if len(journal.entries) == entries:
            raise RuntimeError("a bug")
        add(journal, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", fail)
        with pytest.raises(RuntimeError, match="a bug"):
            yield


def picture(seed: int, side: int = 48) -> bytes:
    """A small PNG unlike any other seed's."""
    return bytes(cv2.imencode(".png", drawing(seed, side, side))[1])


@dataclass
class Asked:
    """One request, as the server's log has it."""

    host: str  # the Host header
    path: str
    begun: float  # seconds of the monotonic clock
    headers: dict[str, str]
    ended: float = 0.0


@dataclass
class Log:
    """The requests to all servers, and how many requests each host had at once at most."""

    asked: list[Asked] = field(default_factory=list)
    now: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    def begin(self, host: str, path: str, headers: dict[str, str]) -> Asked:
        one = Asked(host, path, time.monotonic(), headers)
        self.asked.append(one)
        self.now[host] += self._counts(path)
        self.most[host] = max(self.most[host], self.now[host])
        return one

    def end(self, one: Asked) -> None:
        one.ended = time.monotonic()
        self.now[one.host] -= self._counts(one.path)

    def _counts(self, path: str) -> bool:
        """Not where the other end hangs up first: the server learns of that late."""
        return path.split("/")[1] not in ("html", "endless", "slow", "stall", "bomb")

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def count(self, path: str) -> int:
        return self.paths().count(path)


class Client:
    """The other end of a connection, as a way of answering sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, body: bytes, status: str = "200 OK", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def reset(self) -> None:
        """Cut the connection with an RST."""
        self._writer.transport.abort()


Way = Callable[[Client, Asked], Awaitable[object]]  # how a path is answered


class Web:
    """Servers on some loopback addresses, one port for all, in a thread of their own.

    A path's first component names the way it is answered in; `pages` holds what else there is, by host and
    path or by path alone.
    """

    def __init__(self, *addresses: str, bound: socket.socket | None = None) -> None:
        self.addresses = addresses or ("127.0.0.1",)
        self._first = {"sock": bound} if bound else {"host": self.addresses[0], "port": 0}
        self.log = Log()
        self.pages: dict[str, Way] = {}
        self.ways: dict[str, Way] = dict(WAYS)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def url(self, path: str, address: str = "") -> str:
        host = address or self.addresses[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/{path}"

    async def _start(self) -> int:
        others = self.addresses[1:]
        self._servers = [await asyncio.start_server(self._serve, **self._first, backlog=512)]
        port: int = self._servers[0].sockets[0].getsockname()[1]
        for address in others:
            self._servers.append(await asyncio.start_server(self._serve, address, port, backlog=512))
        return port

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path, headers = _parsed(head)
                asked = self.log.begin(headers["host"].rpartition(":")[0], path, headers)
                try:
                    await self._way(asked)(client, asked)
                finally:
                    self.log.end(asked)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _way(self, asked: Asked) -> Way:
        named = self.ways.get(asked.path.split("/")[1])
        return self.pages.get(asked.host + asked.path) or self.pages.get(asked.path) or named or _missing


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    """Path and headers of a request, names in lower case."""
    line, *lines = head.decode().strip().split("\r\n")
    fields = [one.partition(":") for one in lines]
    return line.split(" ")[1], {name.lower(): value.strip() for name, _, value in fields}


def page(body: bytes, status: str = "200 OK", **headers: str) -> Way:
    """A way: always the same answer."""
    return lambda client, _: client.answer(body, status, **headers)


def seed_of(asked: Asked) -> int:
    return int("".join(c for c in asked.path.rpartition("/")[2] if c.isdigit()) or 0)


async def _missing(client: Client, _: Asked) -> None:
    await client.send(MISSING)


async def _good(client: Client, asked: Asked) -> None:
    body = picture(seed_of(asked))
    etag = f'"{seed_of(asked)}"'
    if asked.headers.get("if-none-match") == etag:
        await client.send(f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode())
    else:
        await client.answer(body, ETag=etag, Content_Type="image/png")


async def _reset(client: Client, _: Asked) -> None:
    client.reset()


async def _endless(client: Client, asked: Asked) -> None:
    """A picture that never ends."""
    await client.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + picture(seed_of(asked)))
    while True:
        await client.send(bytes(1 << 16))


async def _slow(client: Client, asked: Asked) -> None:
    """A byte at a time, too often to be idle."""
    body = picture(seed_of(asked))
    await client.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    for byte in body:
        await client.send(bytes([byte]))
        await asyncio.sleep(0.05)


async def _stall(client: Client, asked: Asked) -> None:
    await client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + picture(seed_of(asked))[:20])
    await client.reader.read()  # until the other end gives up


async def _loop(client: Client, asked: Asked) -> None:
    await client.answer(b"", "302 Found", Location=asked.path)


async def _short(client: Client, asked: Asked) -> None:
    """Fewer bytes than promised."""
    body = picture(seed_of(asked))
    await client.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) + 100}\r\n\r\n".encode() + body)
    client._writer.close()


BOMB = gzip.compress(picture(0) + bytes(8 << 20))

WAYS: dict[str, Way] = {
    "good": _good,
    "reset": _reset,
    "gone": _missing,
    "busy": page(b"", "429 Too Many Requests", Retry_After="1"),
    "down": page(b"", "503 Service Unavailable"),
    "html": page(b"<!doctype html><title>Sign in</title>" + b" " * 2000, Content_Type="image/png"),
    "empty": page(b""),
    "endless": _endless,
    "slow": _slow,
    "stall": _stall,
    "loop": _loop,
    "short": _short,
    "bomb": page(BOMB, Content_Encoding="gzip"),
}
