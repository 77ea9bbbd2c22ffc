"""What others wrote, read within limits: JSON, lines, packed bytes. All limits on foreign structure are here.

Nobody's file is trusted, not even one of a WORK, a DATASET or a RUN: it may come from elsewhere.
"""

import io
import json
from collections.abc import Iterable, Iterator
from typing import IO, Any, TextIO

JSON_DEPTH = 64  # lists and objects within each other; galleries nest five deep
JSON_VALUES = 1 << 18  # commas and brackets of one JSON text: a post has hundreds; 4 MB of them take 85 MB
LONGEST_LINE = 4 << 20  # characters of one line of a list or table of text
MOST_COLUMNS = 4096  # of a table or list; each row of text has a value for each
MOST_ROWS = 1 << 19  # of a folder's metadata.csv or metadata.jsonl, which are held in memory
MOST_TAGS = 4096  # of one picture
LONGEST_TEXT = 1 << 18  # characters of one field: a caption, a license, all tags, a field of `extra`
MOST_EXTRA = 1 << 19  # characters of all fields of `extra` in one record
MOST_MEMBERS = 1 << 18  # of one archive: its listing is held in memory, at about a kilobyte each
LONGEST_DIRECTORY = 64 << 20  # bytes of a zip's directory, or of a 7z's header, packed or not
TEXT_RATIO = 200  # bytes of text for each packed one, beyond FREE; lists of URLs pack to a twentieth
FREE = 16 << 20  # bytes that a packed text may have, however little it was packed in
# bytes of a parquet file's footer, and elements of its schema and row groups, which are held in memory
PARQUET_BOUNDS = {"thrift_string_size_limit": 64 << 20, "thrift_container_size_limit": 1 << 18}
STEP = 1 << 16  # bytes read at a time


class TooMuch(ValueError):
    """A text that is deeper, longer or more than anything sound: too costly to look at further."""


def read_json(text: str | bytes, most: int = JSON_VALUES) -> Any:
    """Read JSON of anyone's.

    most: values, about.
    Raises: ValueError: it is none; TooMuch, one of these: nested too deep, or too many values.
    """
    nested = _count(text, "[") + _count(text, "{")
    if nested + _count(text, ",") > most:
        raise TooMuch(f"more than {most:,} values")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise TooMuch(f"nested more than {JSON_DEPTH} deep") from error
    if nested > JSON_DEPTH:
        check_depth(value)
    return value


def _count(text: str | bytes, mark: str) -> int:
    return text.count(mark) if isinstance(text, str) else text.count(mark.encode())


def check_depth(value: Any) -> None:
    """See that lists and objects don't lie too deep within each other. Raises: TooMuch."""
    level = [value]
    for _ in range(JSON_DEPTH):
        level = [inner for one in level for inner in _within(one) if isinstance(inner, list | dict)]
        if not level:
            return
    raise TooMuch(f"nested more than {JSON_DEPTH} deep")


def _within(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def lines(file: TextIO, longest: int = LONGEST_LINE) -> Iterator[str | None]:
    """Yield the lines of a text with their ends; None for one that is longer, which is passed over.

    longest: characters. The text is opened by newline="".
    """
    while line := file.readline(longest + 1):
        if len(line) <= longest:
            yield line
            continue
        while line and not line.endswith(("\n", "\r")):
            line = file.readline(STEP)
        yield None


def columns(names: Iterable[Any] | None) -> list[str]:
    """The names of a table's columns. Raises: TooMuch: there are too many."""
    texts = [str(name) for name in names or ()]
    if len(texts) > MOST_COLUMNS:
        raise TooMuch(f"{len(texts):,} columns; the limit is {MOST_COLUMNS:,}")
    return texts


class Unpacked(io.RawIOBase):
    """What a decompressor makes of a packed file, up to a ratio. Raises: TooMuch: beyond."""

    def __init__(self, file: IO[bytes], packed: IO[bytes], ratio: int = TEXT_RATIO) -> None:
        super().__init__()
        self._file, self._packed, self._ratio = file, packed, ratio

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        data = self._file.read(len(buffer))
        size, taken = self._file.tell(), self._packed.tell()
        if size > FREE + self._ratio * taken:
            raise TooMuch(f"{size:,} bytes out of the first {taken:,}")
        buffer[: len(data)] = data
        return len(data)


def buffered(file: IO[bytes], packed: IO[bytes]) -> IO[bytes]:
    """A packed text, to be read by lines and to be gone back in, within `Unpacked`'s limits."""
    return io.BufferedReader(Unpacked(file, packed), STEP)
