"""Damaged archives, tables, lists and sidecars for the listings of sources: a case is a seed and a number.

Whatever the case, a listing ends in records that can be written down, or in a typed error.
"""

import gzip
import io
import json
import random
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import py7zr
import pyarrow as pa
import pyarrow.parquet as pq

from anidata import registry
from anidata.errors import MissingExtra, SourceError
from anidata.sources import Options, Record
from anidata.stages.ingest.rows import record_id, row_of

TEXT = "a b_c, 1girl; \u7dda\u753b\u3000\u202e \x1b[2J \0 \ud800 \ufeff ../x \\ % # ' \" =1+1 <svg> {0}"
NAMES = [
    "a.png",
    "b/c.png",
    "b/c.json",
    "b/c.txt",
    "metadata.csv",
    "d_line.png",
    "d.png",
    "e.zip",
    ".hid",
    "\x1b.png",
]
SIDECARS = [
    "a.json",
    "a.txt",
    "metadata.csv",
    "metadata.jsonl",
    "recipe.toml",
    "environment.json",
    "workspace.json",
]
KEYS = [
    "url",
    "caption",
    "tags",
    "tags_artist",
    "tag_string",
    "rating",
    "license",
    "artist",
    "file_name",
    "path",
    "bytes",
    "id",
    "success",
    "status",
]
LENGTHS = [(1 << bits) - less for bits in (1, 7, 8, 16, 31, 32, 63, 64) for less in (0, 1)]


def value(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    makers: list[Callable[[], Any]] = [
        lambda: None,
        lambda: rng.choice([True, False]),
        lambda: rng.choice([0, -1, 1e308, float("nan"), float("inf"), 10**400, 1 << 64]),
        lambda: text(rng),
        lambda: text(rng),
    ]
    if depth < 5:
        makers.append(lambda: [value(rng, depth + 1) for _ in range(rng.randrange(5))])
        makers.append(lambda: fields(rng, depth + 1))
    return rng.choice(makers)()


def text(rng: random.Random) -> str:
    return "".join(rng.choice(TEXT) for _ in range(rng.choice([0, 1, 5, 40])))


def fields(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    count = rng.randrange(8)
    return {
        rng.choice(KEYS) if rng.random() < 0.8 else text(rng): value(rng, depth + 1) for _ in range(count)
    }


def as_json(rng: random.Random) -> bytes:
    return json.dumps(fields(rng)).encode("utf-8", "surrogatepass")


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Some bytes of a file changed, cut, doubled, or made another number."""
    content = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        if not content:
            break
        begin = rng.randrange(len(content))
        act = rng.randrange(6)
        if act == 0:
            content[begin] = rng.randrange(256)
        elif act == 1:
            del content[begin : begin + rng.choice([1, 4, 100])]
        elif act == 2:
            content[begin:begin] = content[begin : begin + rng.choice([1, 16, 512])]
        elif act == 3:
            width = rng.choice([1, 2, 4, 8])
            number = rng.choice(LENGTHS) & ((1 << 8 * width) - 1)
            content[begin : begin + width] = number.to_bytes(width, rng.choice(["little", "big"]))
        elif act == 4:
            content[begin] ^= 1 << rng.randrange(8)
        else:
            del content[begin:]
    return bytes(content)


def contents(rng: random.Random, name: str) -> bytes:
    if name.endswith(".json"):
        return as_json(rng)
    if name.endswith(".csv"):
        return f"file_name,tags,{text(rng)}\na.png,{text(rng)}\nd.png,x,y,z\n".encode("utf-8", "replace")
    return text(rng).encode("utf-8", "replace") * rng.choice([1, 300])


def a_zip(rng: random.Random) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", rng.choice([0, 8, 12, 14])) as archive:
        for name in rng.sample(NAMES, 5):
            archive.writestr(name, contents(rng, name))
    return file.getvalue()


def a_tar(rng: random.Random) -> bytes:
    file = io.BytesIO()
    form = rng.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    mode = rng.choice(["w", "w", "w:gz", "w:bz2", "w:xz"])
    with tarfile.open(fileobj=file, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name in rng.sample(NAMES, 5):
            data, info = contents(rng, name), tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def a_seven(rng: random.Random) -> bytes:
    file = io.BytesIO()
    with py7zr.SevenZipFile(file, "w") as archive:
        for name in rng.sample(NAMES, 4):
            archive.writestr(contents(rng, name), name)
    return file.getvalue()


def a_table(rng: random.Random) -> bytes:
    rows = range(rng.randrange(1, 5))
    columns: dict[str, Any] = {
        "image": [{"bytes": contents(rng, "a.png"), "path": clean(text(rng))} for _ in rows],
        "url": [f"http://a.example/{n}" for n in rows],
        "tags": [[clean(text(rng))] for _ in rows],
        "number": pa.array([rng.choice([float("nan"), 1.5, None]) for _ in rows], pa.float64()),
        "key": [str(n) for n in rows],
        "status": ["success" for _ in rows],
        clean(text(rng)) or "empty": [b"\xff\0" for _ in rows],
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression=rng.choice(["none", "zstd", "snappy", "gzip"]))
    return file.getvalue()


def clean(words: str) -> str:
    return words.encode("utf-8", "replace").decode()


def a_list(rng: random.Random, form: str) -> bytes:
    if form == "parquet":
        return a_table(rng)
    rows = [as_json(rng) if form == "jsonl" else clean(text(rng)).encode() for _ in range(6)]
    rows.append(b'{"url": "http://a.example/a.png"}' if form == "jsonl" else b"http://a.example/b.png,x,y")
    head = [b"url,caption,tags"] if form == "csv" else []
    data = b"\n".join(head + rows)
    return gzip.compress(data) if rng.random() < 0.3 else data


def a_sidecar(rng: random.Random, nest: Path) -> str:
    nest.joinpath("a.png").write_bytes(b"x")
    for name in SIDECARS:
        if rng.random() < 0.5:
            data = contents(rng, name) if name != "metadata.jsonl" else as_json(rng) + b"\n" + as_json(rng)
            nest.joinpath(name).write_bytes(damaged(rng, data))
    nest.joinpath(f"inner.{rng.choice(['zip', 'cbz', 'tar', '7z'])}").write_bytes(damaged(rng, a_zip(rng)))
    return f"folder:{nest}"


def an_archive(rng: random.Random, nest: Path) -> str:
    make, name = rng.choice([(a_zip, "a.zip"), (a_tar, "a.tar.gz"), (a_tar, "a.tar"), (a_seven, "a.7z")])
    nest.joinpath(name).write_bytes(damaged(rng, make(rng)))
    return f"archive:{nest / name}"


def samples(rng: random.Random, nest: Path) -> str:
    nest.joinpath("00.tar").write_bytes(damaged(rng, a_tar(rng)))
    nest.joinpath("01.tar").write_bytes(a_tar(rng))
    if rng.random() < 0.5:
        nest.joinpath("01.parquet").write_bytes(damaged(rng, a_table(rng)))
    return f"webdataset:{nest}"


def tables(rng: random.Random, nest: Path) -> str:
    nest.joinpath("a.parquet").write_bytes(damaged(rng, a_table(rng)))
    nest.joinpath("b.parquet").write_bytes(a_table(rng))
    return f"parquet:{nest}"


def lists(rng: random.Random, nest: Path) -> str:
    form = rng.choice(["txt", "csv", "tsv", "jsonl", "parquet"])
    nest.joinpath(f"list.{form}").write_bytes(damaged(rng, a_list(rng, form)))
    return f"urls:{nest / f'list.{form}'}"


KINDS: dict[str, Callable[[random.Random, Path], str]] = {
    "folder": a_sidecar,
    "archive": an_archive,
    "webdataset": samples,
    "parquet": tables,
    "urls": lists,
}


def judge(seed: int, number: int, nest: Path) -> tuple[str, str]:
    """(kind, outcome) of a case: listed, or a typed error. Raises what no listing may."""
    rng = random.Random(f"{seed} {number}")
    kind = list(KINDS)[number % len(KINDS)]
    source = nest / "source"
    source.mkdir()
    words = KINDS[kind](rng, source)
    try:
        for record in walk(kind, words, Options(base=nest / "work", line_column="")):
            check(kind, record)
    except (SourceError, MissingExtra) as error:
        return kind, type(error).__name__
    return kind, "listed"


def walk(kind: str, words: str, options: Options) -> Iterator[Record]:
    records: Iterator[Record] = registry.load("sources", kind).records(words, options)
    return records


@cache
def schema() -> Any:
    from anidata.catalog import schemas  # noqa: PLC0415

    return schemas.SIGHTINGS


def check(kind: str, record: Record) -> None:
    """See that a record can be written down. Raises: whatever says that it can't."""
    row = row_of(kind, record_id(kind, record.root, record.name), record, 0)
    pa.Table.from_pylist([row], schema=schema())
    if record.extra:
        json.loads(record.extra)


def tally(
    seed: int, numbers: range, home: Path
) -> tuple[Counter[tuple[str, str]], list[tuple[int, BaseException]]]:
    """The outcomes of cases, and what escaped."""
    outcomes: Counter[tuple[str, str]] = Counter()
    escaped: list[tuple[int, BaseException]] = []
    for number in numbers:
        nest = home / str(number)
        nest.mkdir()
        try:
            outcomes[judge(seed, number, nest)] += 1
        except Exception as error:  # noqa: BLE001  that is what is looked for
            escaped.append((number, error))
    return outcomes, escaped
