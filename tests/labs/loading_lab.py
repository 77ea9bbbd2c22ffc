"""For the tests of load_dataset: a finished data set of drawings, what others read in it, a server of it."""

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

    It has several shards of train, two styles, and nothing in the split `none`.
    """
    for n in range(count):
        save(base / "pile" / f"{n:02d}.png", drawing(n, 300, 300 + 20 * n))
    chosen = (
        f"lineart.size={SIZE}",
        'lineart.styles=["xdog", "canny"]',
        SPLITS,
        "shard.shard_bytes=12000",
        *settings,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANIDATA_QUIET", "1")
        patch.setattr("anidata.engine.engine.Engine", Inline)
        words = ["run", "quickstart", str(base / "work"), str(base / "pile")]
        words += [word for setting in chosen for word in ("--set", setting)]
        result = CliRunner().invoke(anidata.cli.entry.app, words)
    assert result.exit_code == 0, (result.output, result.exception)
    return base / "work" / "dataset"


def tars(dataset: Path, split: str = "train") -> list[Path]:
    return sorted((dataset / "data").glob(f"{split}-*.tar"))


def raw(dataset: Path, split: str = "train") -> dict[str, dict[str, bytes]]:
    """Key → suffix → bytes of a split's samples in the order of the tars, as tarfile reads them."""
    samples: dict[str, dict[str, bytes]] = {}
    for tar in tars(dataset, split):
        with tarfile.open(tar) as file:
            for member in file:
                key, _, suffix = member.name.partition(".")
                samples.setdefault(key, {})[suffix] = file.extractfile(member).read()
    return samples


def seen(files: dict[str, bytes]) -> dict[str, Any]:
    """What Pillow and json see in a sample's files."""
    meta = json.loads(files["json"])
    pictures = {name: PIL.Image.open(io.BytesIO(data)) for name, data in files.items() if name != "json"}
    color = next(picture for suffix, picture in pictures.items() if suffix.startswith("color."))
    names = {"xdog": "lineart.png", "canny": "lineart.canny.png"}
    lines = {style: pictures[name].convert("L") for style, name in names.items() if name in pictures}
    return {
        "color": np.array(color.convert("RGB")),
        "lineart": {style: np.array(line) for style, line in lines.items()},
        "meta": meta,
    }


def assert_same(sample: dict[str, Any], expected: dict[str, Any], styles: tuple[str, ...]) -> None:
    assert sample["meta"] == expected["meta"]
    assert sample["key"] == expected["meta"]["key"]
    np.testing.assert_array_equal(sample["color"], expected["color"])
    assert tuple(sample["lineart"]) == styles
    for style in styles:
        np.testing.assert_array_equal(sample["lineart"][style], expected["lineart"][style])
    for pixels in (sample["color"], *sample["lineart"].values()):
        assert pixels.dtype == np.uint8
        assert pixels.flags.writeable
        assert pixels.flags.c_contiguous


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
