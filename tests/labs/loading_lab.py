"""A finished data set of drawings, what others read in it, and a server of it: to test load_dataset with."""

import functools
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from drawings import drawing, save
from inline import Inline

SIZE = 64  # px of a side
SPLITS = "shard.splits={train=0.7, val=0.3, none=0.0}"


def build(base: Path, *settings: str, count: int = 12) -> Path:
    """A data set of `count` drawings made by the whole recipe.

    Several shards of train, two styles, nothing in the split `none`.
    """
    for n in range(count):
        save(base / "pile" / f"{n:02d}.png", drawing(n, 300, 300 + 20 * n))
    recipe_settings = (
        f"lineart.size={SIZE}",
        'lineart.styles=["xdog", "canny"]',
        SPLITS,
        "shard.shard_bytes=12000",
        *settings,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANIDATA_QUIET", "1")
        patch.setattr("anidata.engine.engine.Engine", Inline)
        words = [
            "run",
            "quickstart",
            str(base / "work"),
            str(base / "pile"),
            *[w for s in recipe_settings for w in ("--set", s)],
        ]
        result = CliRunner().invoke(anidata.cli.entry.app, words)
    assert result.exit_code == 0, (result.output, result.exception)
    return base / "work" / "dataset"


def tars(dataset: Path, split: str = "train") -> list[Path]:
    return sorted((dataset / "data").glob(f"{split}-*.tar"))


def raw(dataset: Path, split: str = "train") -> dict[str, dict[str, bytes]]:
    """Key → suffix → bytes of a split's samples in the order of the tars, as tarfile reads them."""
    by_key: dict[str, dict[str, bytes]] = {}
    for tar in tars(dataset, split):
        with tarfile.open(tar) as file:
            for member in file:
                key, _, suffix = member.name.partition(".")
                by_key.setdefault(key, {})[suffix] = file.extractfile(member).read()
    return by_key


def seen(files: dict[str, bytes]) -> dict[str, Any]:
    """Pictures and texts as Pillow and json see them in a sample's files."""
    pictures = {
        suffix: PIL.Image.open(io.BytesIO(data)) for suffix, data in files.items() if suffix != "json"
    }
    color = next(p for suffix, p in pictures.items() if suffix.startswith("color."))
    lines = {"xdog": "lineart.png", "canny": "lineart.canny.png"}
    return {
        "color": np.array(color.convert("RGB")),
        "lineart": {
            style: np.array(pictures[suffix].convert("L"))
            for style, suffix in lines.items()
            if suffix in pictures
        },
        "meta": json.loads(files["json"]),
    }


def assert_same(sample: dict[str, Any], expected: dict[str, Any], styles: tuple[str, ...]) -> None:
    assert sample["meta"] == expected["meta"]
    assert sample["key"] == expected["meta"]["key"]
    np.testing.assert_array_equal(sample["color"], expected["color"])
    assert tuple(sample["lineart"]) == styles
    for style in styles:
        np.testing.assert_array_equal(sample["lineart"][style], expected["lineart"][style])
    assert all(
        a.dtype == np.uint8 and a.flags.writeable and a.flags.c_contiguous
        for a in (sample["color"], *sample["lineart"].values())
    )


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, without a word."""

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(folder: Path, handler: Callable[..., Any] = Handler) -> Iterator[str]:
    """The URL of a folder while the block lasts."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
