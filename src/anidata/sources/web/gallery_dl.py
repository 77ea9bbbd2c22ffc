"""gallery-dl as a program of its own: what it lists comes as a stream of rows, and how it ended is told.

It lists as when it downloads, only that downloads are off and the metadata of each file is written to its standard output. Unlike its `-j`,
that holds nothing in memory, descends into galleries of galleries (each URL once), and ends with an exit code and an error in words.
Its own config holds for it, credentials too; but no postprocessor, archive or file of URLs named there takes part.
"""

import importlib.util
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from anidata.errors import MissingExtra
from anidata.sources.listing.sidecars import clean
from anidata.sources.web.secrets import scrubbed

IDLE = 600.0  # seconds without a word; gallery-dl waits 60 for a host that is busy, and tries five times
TOTAL = 86_400.0  # seconds for a whole gallery
MAX_OUTPUT = 8 << 30  # bytes of rows: some 8 million posts of Danbooru
MAX_ROW = 4 << 20  # bytes of one row
MAX_WORDS = 2000  # characters of what it said that are kept
MAX_UNREAD = 1000  # galleries in a gallery that it can't read, as rows
CHUNK = 1 << 16  # bytes read at once

# its exit code is a sum of these
UNKNOWN, LOGIN, CHALLENGE = 64, 16, 8

Row = dict[str, Any]

PRINTER = {
    "name": "metadata", "event": "prepare", "mode": "jsonl", "filename": "-", "private": True, "ascii": True,
    "whitelist": None, "blacklist": None, "filter": None, "include": None, "exclude": None, "archive": None,
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "download": False,
    "skip": False,
    "archive": None,
    "postprocess": True,
    "postprocessors": [PRINTER],
    "postprocessor-options": PRINTER,  # whatever else the user's config would start prints too, and starts nothing
    "metadata-url": "_url",
    "metadata-http": None,
    "metadata-path": None,
    "metadata-extractor": None,
    "directory": [],
    "filename": "x",  # names of files are no concern of a listing, and may break it
    "sleep": 0,  # before a download; the pauses between requests stay
    "input-files": None,
    "output.mode": "null",
    "output.log": {"format": "{levelname}: {message}", "level": "warning"},
}


class ListingFailed(Exception):
    """A gallery that can't be listed to its end: gallery-dl's exit code (0: we have ended it), and why, without secrets."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def program() -> list[str]:
    """The words that start gallery-dl. Raises: MissingExtra."""
    if importlib.util.find_spec("gallery_dl") is not None:
        return [sys.executable, "-m", "gallery_dl"]
    found = shutil.which("gallery-dl")
    if found is None:
        raise MissingExtra(
            "galleries need gallery-dl, which isn't installed. Install it with: pip install 'anidata[web]'"
        )
    return [found]


def rows(url: str) -> Generator[Row, None, None]:
    """The metadata of each file in a gallery, its URL as `_url`; of a gallery within that can't be read its `_unread` URL alone.

    Raises: MissingExtra. ListingFailed: after the rows that came before.
    """
    start = program()
    with TemporaryDirectory(prefix="anidata-gallery-") as folder:
        unread = Path(folder) / "unread"
        words = [*start, "--no-input", "--no-colors", "--write-unsupported", str(unread)]
        words += [word for name, value in SETTINGS.items() for word in ("-o", f"{name}={json.dumps(value)}")]
        with _running([*words, "--", url], folder) as process:
            talk = _Talk(process)
            for line in talk.lines():
                yield _row(line)
            code = process.wait(30)
        yield from _unread(unread)
        if code:
            raise ListingFailed(code, talk.words() or f"gallery-dl ended with exit code {code}")


@contextmanager
def _running(words: list[str], folder: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A program in a process group of its own, of which nothing is left in the end."""
    environment = os.environ | {
        "PYTHONUNBUFFERED": "1"
    }  # a row is there when it is written, whatever comes then
    process = subprocess.Popen(  # noqa: S603  no shell; the URL stands after --
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    try:
        with process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    except subprocess.TimeoutExpired as error:
        raise ListingFailed(0, "gallery-dl has closed its output but doesn't end") from error


class _Talk:
    """What a program says: lines as they come, and the last words of its errors."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process, self._said = process, b""

    def words(self) -> str:
        """Its errors, or else its warnings: without secrets, on one line."""
        lines = scrubbed(clean(self._said.decode("utf-8", "replace"))).splitlines()
        chosen = [line for line in lines if line.startswith("error:")] or lines
        return re.sub(
            r"[\x00-\x1f\x7f-\x9f]+", " ", " ".join(chosen[-3:]).replace("error: ", "").removesuffix(" .")
        )[:MAX_WORDS].strip()

    def lines(self) -> Iterator[bytes]:
        """Raises: ListingFailed: it is silent, or takes longer, or says more than it may."""
        rest, taken = b"", 0
        for chunk in self._chunks():
            taken += len(chunk)
            rest += chunk
            *whole, rest = rest.split(b"\n")
            yield from whole
            if taken > MAX_OUTPUT or len(rest) > MAX_ROW:
                raise ListingFailed(0, f"it lists more than {MAX_OUTPUT:,} bytes, or {MAX_ROW:,} in one row")
        if rest:
            yield rest

    def _chunks(self) -> Iterator[bytes]:
        """Its standard output; its standard error is kept, the end of it."""
        assert self._process.stdout is not None  # pipes were asked for
        assert self._process.stderr is not None
        end = time.monotonic() + TOTAL
        with selectors.DefaultSelector() as waiting:
            for pipe in (self._process.stdout, self._process.stderr):
                waiting.register(pipe, selectors.EVENT_READ)
            while waiting.get_map():
                ready = waiting.select(max(0.0, min(IDLE, end - time.monotonic())))
                if not ready:
                    raise ListingFailed(
                        0,
                        f"no word for {IDLE:g} seconds, or not done after {TOTAL:g}. {self.words()}".strip(),
                    )
                for key, _ in ready:
                    chunk = os.read(key.fd, CHUNK)
                    if not chunk:
                        waiting.unregister(key.fileobj)
                    elif key.fileobj is self._process.stderr:
                        self._said = (self._said + chunk)[-CHUNK:]
                    else:
                        yield chunk


def _row(line: bytes) -> Row:
    """Raises: ListingFailed: the line is none of its rows."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ListingFailed(0, "gallery-dl says what can't be read as JSON") from error
    if not isinstance(value, dict):
        raise ListingFailed(0, "gallery-dl says what is no row")
    return value


def _unread(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    with open(path, "rb") as file:
        yield from ({"_unread": line} for line in _first_lines(file))


def _first_lines(file: IO[bytes]) -> Iterator[str]:
    for _ in range(MAX_UNREAD):
        line = file.readline(CHUNK)
        if not line:
            return
        if text := clean(line.decode("utf-8", "replace")):
            yield text
