"""Hostile bytes: values that no honest file has, and the ways in which a sound file is spoilt.

All by chance from the dice that are given: the same dice give the same bytes.
"""

import gzip
import io
import json
import random
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Dice = random.Random
SECRET = "canary7f3a"  # stands in every planted password, token and signature
NUMBERS = (
    0,
    -1,
    1,
    255,
    2**15,
    2**31 - 1,
    -(2**31),
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    10**400,
)
WORDS = (
    "",
    " ",
    ".",
    "..",
    "/",
    "\0",
    "a\0b",
    "\x1b]0;owned\x07\x1b[2J",
    "\x9b31m",
    "\r\x1b[1Agone",
    "\u202egnp.exe",
    "\ud800",
    "\ufffe\uffff",
    "[bold red]x[/][link=http://x]y[/link]",
    "[/nothing]",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "\tx",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "'; DROP TABLE records; --",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "%s%n%x",
    "%00",
    "%2e%2e%2f",
    "con",
    "a/../../b",
    "a\\..\\b",
    "-rf",
    "--help",
    "~root",
    "x" * 255,
    "é" * 200,
    "x" * 5000,
    "word " * 40_000,
    "*" * 64 + "$",
    "(a+)+$",
    "NaN",
    "1e999",
    "0x10",
    "True",
    "2026-99-99",
)
PATHS = (
    "{decoy}/secret.png",
    "file://{decoy}/secret.png",
    "../../../decoy/secret.png",
    "../decoy/secret.png",
    "{decoy}/../decoy/secret.png",
    "/etc/passwd",
    "/dev/zero",
    "/proc/self/mem",
    "/proc/self/environ",
    "{decoy}",
    "{decoy}/fifo",
    "{decoy}/part.py",
)
URLS = (
    "https://user:{secret}@{host}/good/1.png?X-Amz-Signature={secret}&token={secret}",
    "http://{host}/good/2?sig={secret}&se=2030&sp=r",
    "http://{host}/good/3?url=http%3A%2F%2Fx%2F%3Faccess_token%3D{secret}",
    "http://{host}/good/4#access_token={secret}",
    "http://{host}/good/5",
    "http://{host}/../../etc/passwd",
    "http://{host}/%00",
    "http://[::1]/",
    "http://{host}:99999/",
    "http://\u2488\u2488.\u2482/",
    "http://" + "a" * 300 + ".example/",
    "ssh://-oProxyCommand=touch%20{decoy}%2Fowned/x",
    "ext::sh -c touch% {decoy}/owned",
    "simplecache::file://{decoy}/secret.png",
    "zip://x.png::file://{decoy}/secret.zip",
    "file:{decoy}/secret.png",
    "FILE://{decoy}/secret.png",
    "local://{decoy}/secret.png",
    "s3://bucket/x",
    "hdfs://x/y",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "gopher://{host}/",
    "ytdl:{decoy}",
    "-o{decoy}/owned",
)
DEEP = "nested as deep as "  # stands for so many lists, each in the next: no encoder would write them


def dumps(value: Any) -> bytes:
    """A document as JSON, with lists in lists where DEEP says so."""
    text = json.dumps(value)
    return re.sub(f'"{DEEP}([0-9]+)"', lambda match: "[" * int(match[1]) + "]" * int(match[1]), text).encode()


class Hostile:
    """Chooses hostile values; `decoy`: a folder that nothing may touch, `host`: a server's address."""

    def __init__(self, dice: Dice, decoy: Path, host: str) -> None:
        self.dice, self.decoy, self.host = dice, decoy, host

    def word(self) -> str:
        kind = self.dice.choice((WORDS, WORDS, PATHS, URLS))
        text = self.dice.choice(kind)
        if kind is WORDS:
            return text
        return text.format(decoy=self.decoy, host=self.host, secret=SECRET)

    def number(self) -> float:
        return self.dice.choice((*NUMBERS, 0.5, -0.0, 1e308, float("inf"), float("nan")))

    def value(self) -> Any:
        """A value of JSON."""
        return self.dice.choice(
            (
                self.word,
                self.word,
                self.number,
                self._nested,
                lambda: None,
                lambda: True,
                list,
                dict,
                self._many,
            )
        )()

    def _nested(self) -> str:
        return f"{DEEP}{self.dice.choice((3, 50, 880, 3000, 200_000))}"

    def _many(self) -> Any:
        count = self.dice.choice((10, 5000))
        return self.dice.choice(
            (list(range(count)), {f"k{n}": n for n in range(count)}, [self.word()] * count)
        )

    # --- what is spoilt ---------------------------------------------------------------------------

    def json(self, value: Any) -> Any:
        """A document with some of its values, or names, exchanged."""
        for _ in range(self.dice.choice((1, 1, 2, 5))):
            value = self._exchanged(value, self.dice.randrange(1, 5))
        return value

    def _exchanged(self, value: Any, depth: int) -> Any:
        if depth and isinstance(value, dict) and value:
            key = self.dice.choice(list(value))
            if self.dice.random() < 0.1:
                return {self.word() if k == key else k: v for k, v in value.items()}
            return value | {key: self._exchanged(value[key], depth - 1)}
        if depth and isinstance(value, list) and value:
            at = self.dice.randrange(len(value))
            return [*value[:at], self._exchanged(value[at], depth - 1), *value[at + 1 :]]
        return self.value()

    def toml(self, text: str) -> str:
        """A TOML file with a line or two that say something else."""
        lines = text.splitlines()
        for _ in range(self.dice.choice((1, 1, 3))):
            at = self.dice.randrange(max(1, len(lines)))
            name = lines[at].partition("=")[0].strip() if lines and "=" in lines[at] else "x"
            lines[at : at + 1] = [f"{name} = {self._literal()}"]
        return "\n".join(lines) + "\n"

    def _literal(self) -> str:
        return self.dice.choice(
            (
                lambda: json.dumps(self.word().encode("utf-8", "replace").decode().replace("\x7f", "")),
                lambda: str(self.dice.choice(NUMBERS)),
                lambda: "[" * 900 + "]" * 900,
                lambda: self.dice.choice(("inf", "nan", "[]", "{}", "true", "1979-05-27", "'", '"""')),
            )
        )()

    def table(self, data: bytes) -> bytes:
        """A Parquet file with cells, columns or its footer exchanged."""
        table = pq.read_table(io.BytesIO(data))
        if not table.num_columns:
            return self.struck(data)
        at = self.dice.randrange(table.num_columns)
        field, count = table.schema.field(at), table.num_rows
        way = self.dice.randrange(6)
        if way == 0:
            table = table.remove_column(at)
        elif way == 1:
            table = table.rename_columns(
                [self.word() if n == at else c for n, c in enumerate(table.column_names)]
            )
        elif way == 2:
            words = pa.array(
                [self.word().encode("utf-8", "replace").decode() for _ in range(count)], pa.string()
            )
            table = table.set_column(at, pa.field(field.name, pa.string()), words)
        elif way == 3:
            table = table.replace_schema_metadata({b"anidata": json.dumps(self.value()).encode()})
        elif way == 4:
            table = table.set_column(at, field, pa.nulls(count, field.type))
        elif count:
            table = self._cell(table, at)
        file = io.BytesIO()
        pq.write_table(table, file)
        return file.getvalue()

    def _cell(self, table: pa.Table, at: int) -> pa.Table:
        field, values = table.schema.field(at), table.column(at).to_pylist()
        row = self.dice.randrange(len(values))
        values[row] = self.word() if pa.types.is_string(field.type) else self.number()
        try:
            return table.set_column(at, field, pa.array(values, field.type))
        except (pa.ArrowException, ValueError, TypeError, OverflowError, UnicodeError):
            return table.set_column(at, field, pa.nulls(len(values), field.type))

    def struck(self, data: bytes) -> bytes:
        """Bytes with some of them turned, lost, doubled, or exchanged for extreme numbers."""
        spoilt = bytearray(data)
        for _ in range(self.dice.choice((1, 1, 2, 4, 16))):
            self._strike(spoilt)
        return bytes(spoilt)

    def _strike(self, data: bytearray) -> None:
        at = self.dice.randrange(len(data) + 1)
        end = at + self.dice.choice((1, 2, 4, 64, 1024))
        way = self.dice.randrange(6)
        if way == 0:
            data[at:end] = self.dice.randbytes(min(end, len(data)) - at)
        elif way == 1:
            del data[at:end]
        elif way == 2:
            data[at:at] = data[at:end] * self.dice.choice((1, 2, 50))
        elif way == 3:
            del data[at:]
        elif way == 4:
            number = self.dice.choice(NUMBERS[:-1]) & (2**64 - 1)
            packed = struct.pack(self.dice.choice("<>") + "Q", number)
            width = self.dice.choice((1, 2, 4, 8))
            data[at : at + width] = packed[:width]
        else:
            data[at:at] = self.word().encode("utf-8", "surrogatepass")[:2000]

    def name(self) -> str:
        """A member's name. Without the secret: a reference to a file in WORK has to have its whole name."""
        word = self.word().replace(SECRET, "word") or "x"
        return self.dice.choice((word, word + ".png", f"a/{word}.png", f"{self.dice.randrange(99)}.png"))

    # --- archives ---------------------------------------------------------------------------------

    def archive(self, pictures: list[bytes]) -> tuple[str, bytes]:
        """A file's ending and its bytes: pictures, with hostile names and structure."""
        ending, made = self.dice.choice((("zip", self._zip), ("tar", self._tar), ("tar.gz", self._tar_gz)))
        data = made(pictures)
        return ending, self.struck(data) if self.dice.random() < 0.5 else data

    def _zip(self, pictures: list[bytes]) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(
            file, "w", self.dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        ) as packed:
            for data in pictures:
                name = self.name().encode("utf-8", "replace").decode()[:60_000].replace("\0", "") or "x"
                packed.writestr(name, data)
            if self.dice.random() < 0.2:
                packed.writestr(
                    "bomb.png", bytes(self.dice.choice((1 << 20, 64 << 20))), zipfile.ZIP_DEFLATED
                )
            if self.dice.random() < 0.2:
                packed.comment = self.word().encode("utf-8", "replace")[:60_000]
        return file.getvalue()

    def _tar(self, pictures: list[bytes]) -> bytes:
        file = io.BytesIO()
        form = self.dice.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
        with tarfile.open(fileobj=file, mode="w", format=form) as packed:
            for data in pictures:
                info = tarfile.TarInfo(
                    self.name().encode("utf-8", "replace").decode().replace("\0", "") or "x"
                )
                info.size = len(data)
                if self.dice.random() < 0.3:
                    info.type = self.dice.choice(
                        (
                            tarfile.SYMTYPE,
                            tarfile.LNKTYPE,
                            tarfile.CHRTYPE,
                            tarfile.FIFOTYPE,
                            tarfile.GNUTYPE_SPARSE,
                        )
                    )
                    info.linkname, info.size = str(self.decoy / "secret.png"), 0
                if form == tarfile.PAX_FORMAT and self.dice.random() < 0.3:
                    info.pax_headers = {
                        self.dice.choice(("path", "size", "x", "GNU.sparse.name")): self._plain()
                    }
                packed.addfile(info, io.BytesIO(data))
        return file.getvalue()

    def _plain(self) -> str:
        return self.word().encode("utf-8", "replace").decode()

    def _tar_gz(self, pictures: list[bytes]) -> bytes:
        return gzip.compress(self._tar(pictures) + bytes(self.dice.choice((0, 0, 32 << 20))))

    # --- answers ----------------------------------------------------------------------------------

    def answer(self, body: bytes) -> bytes:
        """What a server sends for a request, from the status line on."""
        status = self.dice.choice(
            ("200 OK", "200 OK", "200 OK", "206 Partial", "204 No", "301 Moved", "302 F", "304 Not", "404 x")
            + ("429 Busy", "500 x", "503 x", "999 x", "-1", "", "200", "x" * 5000, "200 \x1b[2J\x07")
        )
        spoilt = self.struck(body) if self.dice.random() < 0.3 else body
        lines = [
            f"HTTP/1.1 {status}",
            f"Content-Length: {self.dice.choice((len(spoilt), len(spoilt), 0, 10**30, -1))}",
        ]
        lines += [self._header() for _ in range(self.dice.choice((0, 1, 3, 300)))]
        head = "\r\n".join(lines).encode("utf-8", "surrogatepass")
        return head + self.dice.choice((b"\r\n\r\n",) * 9 + (b"\n\n", b"", b"\r\n")) + spoilt

    def _header(self) -> str:
        name = self.dice.choice(
            ("ETag", "Last-Modified", "Location", "Retry-After", "Content-Type", "Content-Encoding")
            + (
                "Transfer-Encoding",
                "Set-Cookie",
                "X-Robots-Tag",
                "Content-Range",
                "Connection",
                "TDM-Policy",
                "X",
            )
        )
        known = {
            "Content-Encoding": ("gzip", "br", "deflate", "gzip, gzip, gzip", "x"),
            "Transfer-Encoding": ("chunked", "gzip, chunked"),
            "Retry-After": ("0", "1", "-5", "99999999", "Wed, 99 Nov 9999 99:99:99 GMT"),
        }
        choices: tuple[Callable[[], str], ...] = (self.word,)
        if name in known:
            choices = (self.word, *[lambda: self.dice.choice(known[name])] * 3)
        return f"{name}: {self.dice.choice(choices)()}"

    def rules(self) -> bytes:
        """A robots.txt or a tdmrep.json."""
        pattern = "".join(
            self.dice.choice(("*", "a*", "/", "$", "%2a", "x"))
            for _ in range(self.dice.choice((2, 40, 4000)))
        )
        if self.dice.random() < 0.5:
            rules = [
                {
                    "location": self.dice.choice((pattern, self.value())),
                    "tdm-reservation": self.dice.choice((0, 1, "x")),
                }
            ]
            return dumps(self.json(rules * self.dice.choice((1, 3, 20_000))))
        lines = [
            "User-agent: *",
            f"Disallow: {pattern}",
            f"Allow: {self.word()}",
            f"Crawl-delay: {self.number()}",
        ]
        return "\n".join(lines * self.dice.choice((1, 2000))).encode("utf-8", "surrogatepass")


class Harmless(Hostile):
    """The same, spoiling nothing: what a sound case looks like, to measure it."""

    def word(self) -> str:
        return "word"

    def number(self) -> float:
        return 1

    def json(self, value: Any) -> Any:
        return value

    def toml(self, text: str) -> str:
        return text

    def table(self, data: bytes) -> bytes:
        return data

    def struck(self, data: bytes) -> bytes:
        return data

    def archive(self, pictures: list[bytes]) -> tuple[str, bytes]:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as packed:
            for n, data in enumerate(pictures):
                packed.writestr(f"{n}.png", data)
        return "zip", file.getvalue()
