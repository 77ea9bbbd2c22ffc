"""The tests' storm of URLs by hand: `python benchmarks/storm.py --urls 30000`.

A third fail in twelve ways, over 20 loopback addresses. Checks that each URL is a row with the right code
and that no host had more requests at once than stated, by the servers' own log; prints seconds and the most
memory that any one process of the run took.
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
from storm_lab import AT_ONCE, CODES, set_options, storm
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
        wanted = {url: CODES[way] for way, _, url in storm(web, closed, urls)}
        listed, work = Path(folder) / "list.txt", Path(folder) / "work"
        listed.write_text("\n".join(wanted))
        took, most = ingest(work, listed)
        rows = errors(work)
        wrong = [row for row in rows if wanted.get(row["url"], "unknown") != row["error"]]
        print(f"{urls:,} URLs · {len(rows):,} rows · {len(wrong)} wrong {wrong[:3]}", end=" · ")
        print(f"{took:.0f} s · at most {most:,} MB in one process", end=" · ")
        at_once = max(web.log.most.values())
        print(f"at most {at_once} requests to a host at once (stated: {AT_ONCE})")


def errors(work: Path) -> list[dict[str, str | None]]:
    """The code of each URL."""
    words = [*ANIDATA, "query", str(work), "SELECT url, error FROM records", "--format", "json"]
    rows: list[dict[str, str | None]] = json.loads(
        subprocess.run(words, check=True, capture_output=True).stdout
    )
    return rows


def ingest(work: Path, listed: Path) -> tuple[float, int]:
    """Seconds, and MB of the largest process among those it started."""
    begun, most = time.monotonic(), 0
    words = [*ANIDATA, "ingest", str(work), f"urls:{listed}", "--allow-private", "--workers", "2"]
    words += set_options()
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
