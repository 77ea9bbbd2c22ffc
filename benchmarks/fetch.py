"""Files fetched and recorded in a second, beside a bare aiohttp client: `python benchmarks/fetch.py`.

They come from nginx on loopback. Needs nginx (`apt-get install nginx`) and the extra `web`. Each figure is
the median of --rounds, taken in turn. Fetching alone: nothing is decoded.
"""

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import numpy as np

from anidata import workspace
from anidata.engine.engine import Engine
from anidata.fetch import Bounds, Config
from anidata.sources import Options
from anidata.stages.ingest import fetching, plan
from anidata.stages.ingest import stage as ingest

AT_ONCE = 64
NGINX = """
{user} worker_processes 1; daemon off; pid {home}/nginx.pid; error_log {home}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; keepalive_requests 1000000; default_type application/octet-stream;
    client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
    uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
    server {{ {listen} root {home}/files; }}
}}
"""


def main() -> None:
    options = parsed()
    with (
        tempfile.TemporaryDirectory() as folder,
        nginx(Path(folder), options.files, options.bytes, options.hosts) as urls,
    ):
        bare, ours = [], []
        for n in range(options.rounds):
            bare.append(options.files / asyncio.run(fetch_bare(urls)))
            ours.append(options.files / fetch_ours(urls, Path(folder) / f"round{n}", options.workers))
        ratio = statistics.median(o / b for o, b in zip(ours, bare, strict=True))
        print(
            f"bare aiohttp {statistics.median(bare):,.0f} files/s · "
            f"anidata {statistics.median(ours):,.0f} files/s · ratio {ratio:.2f}"
        )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--bytes", type=int, default=50_000)
    parser.add_argument(
        "--hosts", type=int, default=8, help="loopback addresses; of one alone, one worker does all the work"
    )
    parser.add_argument("--workers", type=int, default=0, help="0: one for each processor")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


@contextmanager
def nginx(home: Path, files: int, size: int, hosts: int = 1) -> Iterator[list[str]]:
    """URLs of so many files that begin as a JPEG does."""
    write_files(home / "files", files, size)
    port = free_port()
    listen = " ".join(f"listen 127.0.0.{1 + n}:{port} backlog=1024;" for n in range(hosts))
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(NGINX.format(home=home, listen=listen, user=user))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    server = subprocess.Popen([program, "-c", str(home / "nginx.conf"), "-e", str(home / "error.log")])
    try:
        wait_for(port)
        yield [f"http://127.0.0.{1 + n % hosts}:{port}/{n}.jpg" for n in range(files)]
    finally:
        server.terminate()
        server.wait()


def write_files(folder: Path, files: int, size: int) -> None:
    folder.mkdir()
    noise = np.random.default_rng(0)
    for n in range(files):
        (folder / f"{n}.jpg").write_bytes(b"\xff\xd8\xff" + noise.bytes(size - 3))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("nginx didn't start")


async def fetch_bare(urls: list[str]) -> float:
    """Seconds for all, the bytes thrown away."""
    waiting = iter(urls)

    async def take(session: aiohttp.ClientSession) -> None:
        for url in waiting:
            async with session.get(url) as response:
                await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        begun = time.monotonic()
        await asyncio.gather(*(take(session) for _ in range(AT_ONCE)))
        return time.monotonic() - begun


def fetch_ours(urls: list[str], home: Path, workers: int = 1) -> float:
    """Seconds from the plan to the last part on disk, by workers that have started."""
    with Engine(workers) as engine:
        _fetch(planned(urls[:64], home / "first"), engine)
        work = planned(urls, home / "all")
        begun = time.monotonic()
        counts = _fetch(work, engine)
        took = time.monotonic() - begun
    assert counts == {"fetched": len(urls)}, counts
    return took


def planned(urls: list[str], home: Path) -> workspace.Workspace:
    home.mkdir(parents=True)
    (home / "list.txt").write_text("\n".join(urls))
    work = workspace.create(home / "work")
    plan.add_generation(work, plan.Request((f"urls:{home / 'list.txt'}",)), Options(base=work.path), 256)
    return work


def _fetch(work: workspace.Workspace, engine: Engine) -> Counter[str]:
    config = Config(concurrency=AT_ONCE, connections=AT_ONCE, rate=0, allow_private=True)
    return fetching.run(
        work, config, Bounds(1 << 28, 200), lambda tasks: ingest.fetch_tasks(engine, tasks), engine.workers
    )


if __name__ == "__main__":
    main()
