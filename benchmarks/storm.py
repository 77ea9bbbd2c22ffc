"""The tests' storm of URLs by hand: `python benchmarks/storm.py --urls 30000`. A third fail in twelve ways, over 20 loopback addresses.

Checks that each URL is a row with the right code and that no host had more requests at once than stated, by the servers' own log; prints
seconds and the most memory that any one process of the run took.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/labs"))
from test_fetch_storm import CODES, SETTINGS, storm, trickle

from web_lab import Web

HOSTS = 20
ANIDATA = [sys.executable, "-m", "anidata"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--urls", type=int, default=30_000)
    urls = parser.parse_args().urls
    with (
        Web(*(f"127.0.0.{n}" for n in range(2, 2 + HOSTS))) as web,
        socket.socket() as closed,
        tempfile.TemporaryDirectory() as folder,
    ):
        web.ways["slow"] = trickle
        closed.bind(("127.0.0.1", 0))  # and doesn't listen
        wanted = {_url(web, closed, *one): CODES[one[0]] for one in storm(urls, HOSTS)}
        listed, work = Path(folder) / "list.txt", Path(folder) / "work"
        listed.write_text("\n".join(wanted))
        took, most = ingest(work, listed)
        asked = ["query", str(work), "SELECT url, error FROM records", "--format", "json"]
        found = json.loads(subprocess.run([*ANIDATA, *asked], check=True, capture_output=True).stdout)
        wrong = [row for row in found if wanted.get(row["url"], "unknown") != row["error"]]
        print(
            f"{urls:,} URLs · {len(found):,} rows · {len(wrong)} wrong {wrong[:3]} · {took:.0f} s · at most {most:,} MB in one process · ",
            end="",
        )
        print(f"at most {max(web.log.most.values())} requests to a host at once (stated: 3)")


def _url(web: Web, closed: socket.socket, way: str, n: int, host: int) -> str:
    if way == "refused":
        return f"http://127.1.{n // 250}.{1 + n % 250}:{closed.getsockname()[1]}/{n}"
    return web.url(f"{way}/{n}", web.addresses[host])


def ingest(work: Path, listed: Path) -> tuple[float, int]:
    """Seconds, and MB of the largest process among those it started."""
    settings = [word for text in SETTINGS for word in ("--set", text)]
    begun, most = time.monotonic(), 0
    words = [*ANIDATA, "ingest", str(work), f"urls:{listed}", "--allow-private", "--workers", "2", *settings]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        while run.poll() is None:
            most = max(most, *(_resident(pid) for pid in _family(run.pid)))
            time.sleep(0.5)
    assert run.returncode == 0, run.returncode
    return time.monotonic() - begun, most >> 20


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(each for child in below for each in _family(int(child)))]


def _resident(pid: int) -> int:
    """Bytes in memory; 0: it has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


if __name__ == "__main__":
    main()
