"""A list of URLs of which a third fail in twelve ways: for a test, and by hand for `benchmarks/storm.py`."""

import asyncio
import random
import socket
from collections.abc import Iterator

from web_lab import Asked, Client, Web

CODES = {
    "good": None,
    "refused": "refused",
    "reset": "reset",
    "gone": "http_404",
    "busy": "http_429",
    "down": "http_503",
    "html": "not_an_image",
    "empty": "empty",
    "endless": "too_large",
    "slow": "slow",
    "loop": "redirects",
    "short": "cut_short",
    "bomb": "bomb",
}  # way of answering → the code that its row should have
AT_ONCE = 3  # requests to one host
SETTINGS = [
    "ingest.max_bytes=1_000_000",
    "ingest.fetch.rate=0",
    "ingest.fetch.tries=2",
    "ingest.fetch.backoff=0.01",
    "ingest.fetch.total_time=8",
    "ingest.fetch.idle_time=6",
    f"ingest.fetch.concurrency={AT_ONCE}",
]


def set_options() -> list[str]:
    """The settings as words of a command."""
    return [word for text in SETTINGS for word in ("--set", text)]


def storm(web: Web, closed: socket.socket, urls: int) -> Iterator[tuple[str, int, str]]:
    """Yield way, number and URL of each picture, in an order that is the same each time.

    Two of three are good, a third is shared among the other ways. closed: a socket that doesn't listen.
    """
    web.ways["slow"] = trickle
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    for n, way in enumerate(_ways(urls)):
        if way == "refused":
            yield way, n, f"http://127.1.{n // 250}.{1 + n % 250}:{port}/{n}"
        else:
            yield way, n, web.url(f"{way}/{n}", web.addresses[n % len(web.addresses)])


def _ways(urls: int) -> list[str]:
    bad = [way for way in CODES if way != "good"]
    ways = ["good" if n % 3 else bad[n // 3 % len(bad)] for n in range(urls)]
    random.Random(8).shuffle(ways)
    return ways


async def trickle(client: Client, _: Asked) -> None:
    """Headers, and then a byte from time to time, which is never idle and never ends."""
    await client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n\x89PNG\r\n\x1a\n")
    while True:
        await client.send(b"\0")
        await asyncio.sleep(0.5)
