"""Files that are small and ask for much, or name what no file is called: for the listings of sources."""

import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

NAMES = [
    b"nul\0.png",
    b"../out.png",
    b"/etc/out.png",
    b"a\\..\\out.png",
    b"C:\\out.png",
    b"n" * 300 + b".png",
    b"\xff\xfe.png",
    b"\xed\xa0\x80.png",  # a lone surrogate
    b"\x1b]0;owned\x07\x1b[2J.png",
    "\u202egnp.exe.png".encode(),
    b"line\nbreak\r.png",
]


def _vint(number: int) -> bytes:
    """A number as 7z writes it."""
    for extra in range(8):
        if number < 1 << (7 * (extra + 1)):
            first = (0xFF << (8 - extra)) & 0xFF | number >> (8 * extra)
            return bytes([first]) + (number & ((1 << (8 * extra)) - 1)).to_bytes(extra, "little")
    return b"\xff" + number.to_bytes(8, "little")


def sevenzip_members(path: Path, count: int = 4_000_000) -> None:
    """A 7z of a few kilobytes whose packed header names millions of empty members."""
    bits = b"\xff" * ((count + 7) // 8)
    names = b"\0" + b"a\0\0\0" * count
    files = b"\x05" + _vint(count)
    files += b"\x0e" + _vint(len(bits)) + bits + b"\x11" + _vint(len(names)) + names + b"\0"
    header = b"\x01" + files + b"\0"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
    packed = lzma.compress(header, lzma.FORMAT_RAW, filters=filters)
    folder = b"\x07\x0b\x01\0" + b"\x01" + b"\x21\x21\x01\x16"  # one coder: LZMA2 of 8 MiB
    encoded = b"\x17\x06\0\x01\x09" + _vint(len(packed)) + b"\0" + folder
    encoded += b"\x0c" + _vint(len(header)) + b"\x0a\x01" + struct.pack("<I", zlib.crc32(header)) + b"\0\0"
    start = struct.pack("<QQI", len(packed), len(encoded), zlib.crc32(encoded))
    head = b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start
    path.write_bytes(head + packed + encoded)


def zip_members(path: Path, count: int = 2_000_000) -> None:
    """A zip whose directory names one member again and again."""
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    entry = (
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    )
    size = len(entry) * count
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, len(local))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(local) + size, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with open(path, "wb") as file:
        file.write(local)
        file.writelines(entry * min(count, 10_000) for _ in range(0, count, 10_000))
        file.write(end64 + locator + end)


def zip_ratio(path: Path) -> None:
    """A zip of members that unpack to a thousand times their size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(8):
            archive.writestr(f"{number}.png", bytes(200 << 20))


def zip_within(path: Path, depth: int = 12) -> None:
    """A zip in a zip, as deep as it goes."""
    data = b"x"
    for level in range(depth):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(4):
                archive.writestr(f"{level}-{number}.zip", data)
        data = file.getvalue()
    path.write_bytes(data)


def tar_pax(path: Path, count: int = 2000) -> None:
    """A packed tar of pax headers that speak of a member which never comes."""
    payload = b"1048576 comment=".ljust((1 << 20) - 1, b"x") + b"\n"
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(payload)
    with gzip.open(path, "wb", 9) as file:
        for _ in range(count):
            file.write(info.tobuf(tarfile.USTAR_FORMAT) + payload)


def tar_members(path: Path, count: int = 600_000) -> None:
    """A packed tar of empty members."""
    with gzip.open(path, "wb", 1) as file:
        for number in range(count):
            file.write(tarfile.TarInfo(f"{number}.png").tobuf(tarfile.USTAR_FORMAT))
        file.write(bytes(1024))


def tar_names(path: Path) -> None:
    """A tar of members by names that no file should have."""
    with open(path, "wb") as file:
        for name in NAMES:
            text = name.replace(b"\0", b"?").decode("utf-8", "surrogateescape")
            file.write(tarfile.TarInfo(text).tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
        file.write(bytes(1024))


def zip_names(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            info = zipfile.ZipInfo("x")
            info.filename = name.decode("utf-8", "replace")
            archive.writestr(info, b"x")


def line(path: Path, size: int = 1_600_000_000) -> None:
    """A packed list of one line."""
    with gzip.open(path, "wb", 9) as file:
        for _ in range(0, size, 1 << 24):
            file.write(b"a" * (1 << 24))


def jsonl_deep(path: Path) -> None:
    """Lists within each other, and a good line after them."""
    deep = "".join('{"a":' for _ in range(880)) + "1" + "}" * 880
    path.write_text(deep + '\n{"url": "http://127.0.0.1:9/a.png"}\n')


def csv_columns(path: Path) -> None:
    """A header of a hundred thousand columns, and rows of one field."""
    path.write_text(",".join(f"c{n}" for n in range(100_000)) + "\n" + "a\n" * 1000)


def parquet_cells(path: Path) -> None:
    """One cell of much text, packed to little."""
    table = pa.table({"url": ["http://127.0.0.1:9/a.png"] * 8, "text": ["x" * (200 << 20)] + [""] * 7})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)


def parquet_dictionary(path: Path) -> None:
    """A dictionary of one long word, and a million references to it."""
    table = pa.table(
        {"image": [b"x"] * 200_000, "text": pa.array(["y" * 100_000] * 200_000).dictionary_encode()}
    )
    pq.write_table(table, path, compression="zstd")


def parquet_footer(path: Path) -> None:
    """A footer of a length that isn't there."""
    path.write_bytes(b"PAR1" + b"\x15\0" * 100 + struct.pack("<I", 0x7FFFFFFF) + b"PAR1")


def metadata_rows(path: Path) -> None:
    path.write_text("file_name,license\n" + "".join(f"{n:x},a\n" for n in range(6_000_000)))


def json_values(path: Path) -> None:
    path.write_text('{"a":[' + "[]," * 1_200_000 + "[]]}")


def json_deep(path: Path) -> None:
    path.write_text('{"a":' + "[" * 880 + "]" * 880 + "}")


def json_tags(path: Path) -> None:
    path.write_text(json.dumps({"tags": " ".join(map(str, range(500_000)))}))


# name of the file, how it is made, and the kind of source
BOMBS: dict[str, tuple[Callable[[Path], None], str]] = {
    "members.7z": (sevenzip_members, "archive"),
    "members.zip": (zip_members, "archive"),
    "ratio.zip": (zip_ratio, "archive"),
    "within.zip": (zip_within, "archive"),
    "names.zip": (zip_names, "archive"),
    "names.tar": (tar_names, "archive"),
    "pax.tar.gz": (tar_pax, "archive"),
    "members.tar.gz": (tar_members, "archive"),
    "line.txt.gz": (line, "urls"),
    "line.jsonl.gz": (line, "urls"),
    "line.csv.gz": (line, "urls"),
    "deep.jsonl": (jsonl_deep, "urls"),
    "columns.csv": (csv_columns, "urls"),
    "cells.parquet": (parquet_cells, "urls"),
    "dictionary.parquet": (parquet_dictionary, "parquet"),
    "footer.parquet": (parquet_footer, "parquet"),
    "metadata.csv": (metadata_rows, "folder"),
    "values.json": (json_values, "folder"),
    "deep.json": (json_deep, "folder"),
    "tags.json": (json_tags, "folder"),
}
