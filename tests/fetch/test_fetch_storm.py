"""A list of URLs of which a third fail in twelve ways, over many hosts: nothing hangs, and every one is a row with the right code."""

import asyncio
import json
import random
import socket
from collections import Counter

import pytest

from web_lab import Web

CODES = {
    "good": None, "refused": "refused", "reset": "reset", "gone": "http_404", "busy": "http_429", "down": "http_503", "html": "not_an_image",
    "empty": "empty", "endless": "too_large", "slow": "slow", "loop": "redirects", "short": "cut_short", "bomb": "bomb",
}  # fmt: skip
SETTINGS = [
    "ingest.max_bytes=1_000_000", "ingest.fetch.rate=0", "ingest.fetch.tries=2", "ingest.fetch.backoff=0.01", "ingest.fetch.total_time=8",
    "ingest.fetch.idle_time=6", "ingest.fetch.concurrency=3",
]  # fmt: skip


def storm(urls, hosts):
    """Ways to be answered, in an order that is the same each time: two of three good, a third shared among the others."""
    bad = [way for way in CODES if way != "good"]
    ways = ["good" if n % 3 else bad[n // 3 % len(bad)] for n in range(urls)]
    random.Random(8).shuffle(ways)
    return [(way, n, n % hosts) for n, way in enumerate(ways)]


@pytest.mark.parametrize(("urls", "hosts"), [(117, 5), pytest.param(3000, 20, marks=pytest.mark.slow)])
def test_every_url_is_a_row_with_the_right_code_and_no_host_is_asked_more_at_once_than_stated(
    tmp_path, command, urls, hosts
):
    with Web(*(f"127.0.0.{n}" for n in range(2, 2 + hosts))) as web, socket.socket() as closed:
        web.ways["slow"] = trickle
        closed.bind(("127.0.0.1", 0))  # and doesn't listen
        rows, wanted = [], {}
        for way, n, host in storm(urls, hosts):
            url = (
                f"http://127.1.{n // 250}.{1 + n % 250}:{closed.getsockname()[1]}/{n}"
                if way == "refused"
                else web.url(f"{way}/{n}", web.addresses[host])
            )
            rows.append(json.dumps({"image_url": url, "way": way, "n": n}))
            wanted[url] = CODES[way]
        (tmp_path / "list.jsonl").write_text("\n".join(rows))
        work = tmp_path / "work"
        settings = [word for text in SETTINGS for word in ("--set", text)]
        command(
            "ingest", work, f"urls:{tmp_path / 'list.jsonl'}", "--allow-private", "--workers", 2, *settings
        )
        found = json.loads(
            command("query", work, "SELECT url, status, error, extra FROM records", "--format", "json")
        )
        assert {row["url"]: row["error"] for row in found} == wanted
        assert len(found) == urls
        assert all((row["status"] == "ok") == (row["error"] is None) for row in found)
        shares = Counter(json.loads(row["extra"])["way"] for row in found)
        assert all(shares[way] >= urls / 100 for way in CODES)
        assert set(web.log.most) == set(web.addresses)
        assert max(web.log.most.values()) <= 3


async def trickle(client, _):
    """Headers, and then a byte from time to time, which is never idle and never ends."""
    await client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n\x89PNG\r\n\x1a\n")
    while True:
        await client.send(b"\0")
        await asyncio.sleep(0.5)
