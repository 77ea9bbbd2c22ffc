"""gallery-dl as a program of its own: its list comes as a stream of rows, and how it ended is told.

It lists as when it downloads, only that downloads are off and the metadata of each file is written to its
standard output. Unlike its `-j`, that holds nothing in memory, descends into galleries of galleries (each URL
once), and ends with an exit code and an error in words. Its own config holds for it, credentials too; but no
postprocessor, archive or file of URLs named there takes part.
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
from anidata.tar import opening, untrusted

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
    "name": "metadata",
    "event": "prepare",
    "mode": "jsonl",
    "filename": "-",
    "private": True,
    "ascii": True,
    **dict.fromkeys(("whitelist", "blacklist", "filter", "include", "exclude", "archive")),
}
SETTINGS: dict[str, Any] = {
    "download": False,
    "skip": False,
    "archive": None,
    "postprocess": True,
    "postprocessors": [PRINTER],
    # whatever else the user's config would start prints too, and starts nothing
    "postprocessor-options": PRINTER,
    "metadata-url": "_url",
    "metadata-http": None,
    "metadata-path": None,
    "metadata-extractor": None,
    "directory": [],
    "filename": "x",  # names of files are no concern of a listing, and may break it
    "sleep": 0,  # before a download; the pauses between requests stay
    "input-files": None,
    "proxy-env": False,  # its own config may name a proxy; the environment isn't asked
    "output.mode": "null",
    "output.log": {"format": "{levelname}: {message}", "level": "warning"},
}


class ListingFailed(Exception):
    """A gallery that can't be listed to its end.

    `code`: gallery-dl's exit code (0: we have ended it); `message`: why, without secrets.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def program() -> list[str]:
    """The words that start gallery-dl. Raises: MissingExtra."""
    if importlib.util.find_spec("gallery_dl") is not None:
        return [sys.executable, "-m", "gallery_dl"]
    path = shutil.which("gallery-dl")
    if path is None:
        raise MissingExtra(
            "galleries need gallery-dl, which isn't installed. Install it with: pip install 'anidata[web]'"
        )
    return [path]


def rows(url: str) -> Generator[Row, None, None]:
    """Yield the metadata of each file in a gallery, its URL as `_url`.

    Of a gallery within that can't be read the row has its URL alone, as `_unread`.
    Raises: MissingExtra. ListingFailed: after the rows that came before.
    """
    start = program()
    with TemporaryDirectory(prefix="anidata-gallery-") as folder:
        unread = Path(folder) / "unread"
        words = [*start, "--no-input", "--no-colors", "--write-unsupported", str(unread)]
        words += [word for name, value in SETTINGS.items() for word in ("-o", f"{name}={json.dumps(value)}")]
        with _running([*words, "--", url], folder) as process:
            output = _Output(process)
            for line in output.lines():
                yield _row(line)
            code = process.wait(30)
        yield from _unread(unread)
        if code:
            raise ListingFailed(code, output.complaint() or f"gallery-dl ended with exit code {code}")


@contextmanager
def _running(words: list[str], folder: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program in a process group of its own, of which nothing is left in the end."""
    # a row is there when it is written, whatever comes then
    environment = _environment() | {"PYTHONUNBUFFERED": "1"}
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


def _environment() -> dict[str, str]:
    """Our environment without what would lead requests elsewhere or log in unasked."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and name.upper() != "NETRC"
    }


class _Output:
    """What a program writes: lines as they come, and the last words of its errors."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process, self._errors = process, b""

    def complaint(self) -> str:
        """Its errors, or else its warnings: without secrets, on one line."""
        lines = scrubbed(clean(self._errors.decode("utf-8", "replace"))).splitlines()
        chosen = [line for line in lines if line.startswith("error:")] or lines
        text = " ".join(chosen[-3:]).replace("error: ", "").removesuffix(" .")
        return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)[:MAX_WORDS].strip()

    def lines(self) -> Iterator[bytes]:
        """Yield its rows. Raises: ListingFailed: it is silent, or takes longer, or says more than it may."""
        begun, taken = b"", 0
        for chunk in self._chunks():
            taken += len(chunk)
            begun += chunk
            *whole, begun = begun.split(b"\n")
            yield from whole
            if taken > MAX_OUTPUT or len(begun) > MAX_ROW:
                raise ListingFailed(0, f"it lists more than {MAX_OUTPUT:,} bytes, or {MAX_ROW:,} in one row")
        if begun:
            yield begun

    def _chunks(self) -> Iterator[bytes]:
        """Yield its standard output; of its standard error the end is kept."""
        assert self._process.stdout is not None  # pipes were asked for
        assert self._process.stderr is not None
        end = time.monotonic() + TOTAL
        with selectors.DefaultSelector() as waiting:
            for pipe in (self._process.stdout, self._process.stderr):
                waiting.register(pipe, selectors.EVENT_READ)
            while waiting.get_map():
                ready = waiting.select(max(0.0, min(IDLE, end - time.monotonic())))
                if not ready:
                    raise ListingFailed(0, self._silence())
                for key, _ in ready:
                    chunk = os.read(key.fd, CHUNK)
                    if not chunk:
                        waiting.unregister(key.fileobj)
                    elif key.fileobj is self._process.stderr:
                        self._errors = (self._errors + chunk)[-CHUNK:]
                    else:
                        yield chunk

    def _silence(self) -> str:
        return f"no word for {IDLE:g} seconds, or not done after {TOTAL:g}. {self.complaint()}".strip()


def _row(line: bytes) -> Row:
    """Read one of its rows. Raises: ListingFailed: the line is none."""
    try:
        value = untrusted.read_json(line)
    except ValueError as error:
        raise ListingFailed(0, "gallery-dl says what can't be read as JSON") from error
    if not isinstance(value, dict):
        raise ListingFailed(0, "gallery-dl says what is no row")
    return value


def _unread(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    with opening.opened(path) as file:
        yield from ({"_unread": line} for line in _first_lines(file))


def _first_lines(file: IO[bytes]) -> Iterator[str]:
    for _ in range(MAX_UNREAD):
        line = file.readline(CHUNK)
        if not line:
            return
        if text := clean(line.decode("utf-8", "replace")):
            yield text
