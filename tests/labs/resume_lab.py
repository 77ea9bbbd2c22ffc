"""Fetches that are gone on with: lists of URLs, and looks at what was asked for and what was kept."""

import json
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from anidata.fetch.urls import lane_of
from web_lab import Web

SET = ["--allow-private", *(f"--set=ingest.fetch.{text}" for text in ("rate=0", "backoff=0.001", "tries=1"))]
RULES = ["/robots.txt", "/.well-known/tdmrep.json"]


def listed(folder: Path, urls: Iterable[str]) -> str:
    """A SOURCE: a list of these URLs."""
    path = folder / "list.txt"
    path.write_text("\n".join(urls))
    return f"urls:{path}"


def answers(command: Callable[..., Any], work: Path, sql: str) -> Any:
    return json.loads(command("query", work, sql, "--format", "json"))


def pictures(web: Web) -> list[str]:
    """The paths that were asked for since the last look, without the hosts' rules."""
    paths = [path for path in web.log.paths() if path not in RULES]
    web.log.asked.clear()
    return sorted(paths)


def kept(work: Path) -> dict[tuple[str, str], bytes]:
    """The bytes of all that a later stage reads, by tar and name."""
    bodies = {}
    for path in sorted((work / "blobs").glob("*.tar")):
        with tarfile.open(path) as tar:
            members = [member for member in tar if member.name.endswith(".at")]
            bodies |= {(path.name, member.name): tar.extractfile(member).read() for member in members}
    return bodies


def lanes_apart() -> tuple[str, str]:
    """Two addresses that two workers share out between them."""
    addresses = [f"127.0.0.{n}" for n in range(1, 20)]
    even = next(a for a in addresses if lane_of(f"http://{a}/") % 2 == 0)
    return even, next(a for a in addresses if lane_of(f"http://{a}/") % 2 == 1)
