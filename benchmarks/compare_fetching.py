"""Fetching beside a bare aiohttp client and img2dataset, in one run: `python benchmarks/compare_fetching.py`.

Needs nginx (`apt-get install nginx`) and the extra `web`; img2dataset stands in a virtual environment under
.benchmarks/. Nothing is decoded: img2dataset is told --disable_all_reencoding. Two lists: files of 50 kB from
nginx, and small ones from many hosts that take their time.
anidata asks for robots.txt and tdmrep.json first, checks every address and heeds opt-outs; `allow_private`
alone is set, for loopback. img2dataset: two processes of 256 threads. Its figure holds its start, as its user
waits for it; anidata's workers have started.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import fetch as bench
import peers
from anidata.engine.engine import Engine
from anidata.fetch import Bounds, Config
from anidata.stages.ingest import fetching
from anidata.stages.ingest import stage as ingest

BODY = b"\xff\xd8\xff" + bytes(2000)
DELAY = 0.3  # seconds until a slow host answers
CONNECTIONS = 800  # to all slow hosts at once; to one host 4, the default
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
PICTURE = (
    f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--files", type=int, default=3000, help="from nginx")
    parser.add_argument("--slow", type=int, default=4000, help="files from slow hosts")
    parser.add_argument("--hosts", type=int, default=200, help="slow ones")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with bench.nginx(home, args.files, 50_000, 8) as urls:
            bare = args.files / asyncio.run(bench.fetch_bare(urls))
            ours = args.files / bench.fetch_ours(urls, home / "nginx", 0)
            peer = args.files / img2dataset(urls, home / "peer")
        show("nginx, 50 kB", ours, {"bare aiohttp": bare, "img2dataset": peer})
        with slow_hosts(args.hosts) as port:
            urls = [f"http://127.0.1.{1 + n % args.hosts}:{port}/{n}.jpg" for n in range(args.slow)]
            ours = args.slow / fetch_slow(urls, home / "slow")
            peer = args.slow / img2dataset(urls, home / "slow-peer")
        show(f"{args.hosts} hosts, {DELAY:g} s", ours, {"img2dataset": peer})


def show(name: str, ours: float, others: dict[str, float]) -> None:
    """Print a list's rates, in files a second."""
    cells = [f"{name:18} anidata {ours:7,.0f} files/s"]
    cells += [f"{other} {rate:,.0f} (ratio {ours / rate:.2f})" for other, rate in others.items()]
    print(" · ".join(cells), flush=True)


def fetch_slow(urls: list[str], home: Path) -> float:
    """Seconds from the plan to the last part on disk. The rate is unbounded, as img2dataset's is."""
    work = bench.planned(urls, home)
    with Engine(0) as engine:
        config = Config(connections=CONNECTIONS, rate=0, allow_private=True)
        begun = time.monotonic()
        counts = fetching.run(
            work, config, Bounds(1 << 28, 200), partial(ingest.fetch_tasks, engine), engine.workers
        )
    assert counts == {"fetched": len(urls)}, counts
    return time.monotonic() - begun


def img2dataset(urls: list[str], home: Path) -> float:
    """Seconds for the same list."""
    home.mkdir()
    (home / "list.txt").write_text("\n".join(urls))
    program = Path(peers.python("img2dataset")).with_name("img2dataset")
    words = [
        "--url_list",
        home / "list.txt",
        "--output_folder",
        home / "out",
        "--output_format",
        "webdataset",
    ]
    words += ["--processes_count", 2, "--thread_count", 256, "--disable_all_reencoding", True]
    words += ["--number_sample_per_shard", max(1, len(urls) // 4)]
    begun = time.monotonic()
    subprocess.run([str(program), *map(str, words)], check=True, capture_output=True)
    took = time.monotonic() - begun
    done = sum(json.loads(path.read_text())["successes"] for path in (home / "out").glob("*_stats.json"))
    assert done == len(urls), f"{done} of {len(urls)}"
    return took


@contextmanager
def slow_hosts(hosts: int) -> Iterator[int]:
    """Servers on loopback addresses, in a thread of their own; yields their port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(_start(hosts), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(_stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _start(hosts: int) -> int:
    first = await asyncio.start_server(_answer, "127.0.1.1", 0, backlog=1024)
    port: int = first.sockets[0].getsockname()[1]
    for n in range(1, hosts):
        await asyncio.start_server(_answer, f"127.0.1.{1 + n}", port, backlog=1024)
    return port


async def _stop() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(DELAY)
            writer.write(PICTURE if b".jpg " in head.split(b"\r\n", 1)[0] else MISSING)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


if __name__ == "__main__":
    main()
