"""Fixtures: pictures drawn by code, the command line in this process, and an engine that works in it too."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.engine.engine import Watch

ART = Path(anidata.__file__).parent / "art"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIDATA_QUIET", "1")


def drawing(seed: int, width: int = 320, height: int = 360) -> np.ndarray:
    """A picture unlike any other seed's: blobs of color with black outlines, uint8 (height, width, 3), RGB."""
    rng = np.random.default_rng(seed)
    page = np.full((height, width, 3), rng.integers(150, 256, 3), np.uint8)
    for _ in range(14):
        center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(width // 16, width // 3)), int(rng.integers(height // 16, height // 3)))
        turn = int(rng.integers(0, 180))
        cv2.ellipse(page, center, axes, turn, 0, 360, [int(c) for c in rng.integers(40, 256, 3)], -1, cv2.LINE_AA)
        cv2.ellipse(page, center, axes, turn, 0, 360, (0, 0, 0), 3, cv2.LINE_AA)
    return page


def save(path: Path, rgb: np.ndarray, quality: int = 95) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(rgb).save(path, quality=quality)
    return path


@pytest.fixture
def pile(tmp_path: Path) -> Path:
    """A folder with ten distinct drawings, a small copy of one, a broken and a tiny file."""
    folder = tmp_path / "pile"
    for n in range(10):
        save(folder / f"{n:02d}.png", drawing(n))
    save(folder / "copy of 03.jpg", cv2.resize(drawing(3), None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA))
    save(folder / "tiny.png", drawing(99, 40, 40))
    (folder / "broken.png").write_bytes((folder / "00.png").read_bytes()[:2000])
    return folder


@pytest.fixture
def command() -> Callable[..., Any]:
    """Run a command in this process; its JSON where it gives one, else its text. An error of anidata's is raised."""

    def run(*words: object) -> Any:
        result = CliRunner().invoke(anidata.cli.entry.app, [str(w) for w in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in words else result.stdout

    return run


class Inline:
    """An engine without processes: what the stages do can be counted."""

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, function: Callable[[Any, Watch], Any], parts: Sequence[Any], **_: Any) -> Iterator[tuple[Any, Any]]:
        for part in parts:
            yield part, function(part, Watch())


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages work in this process."""
    monkeypatch.setattr("anidata.engine.engine.Engine", Inline)


@pytest.fixture
def calls(inline: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often pictures are decoded and colors and lines encoded, counted where that happens; clear it between steps."""
    counted: dict[str, int] = {}
    for place in ("image.decode", "canvas.encode_color", "canvas.encode_line"):
        _count(monkeypatch, place, counted)
    return counted


def _count(monkeypatch: pytest.MonkeyPatch, place: str, counted: dict[str, int]) -> None:
    module, name = place.split(".")
    function = getattr(__import__(f"anidata.{module}", fromlist=[name]), name)

    def counting(*args: Any) -> Any:
        counted[name] = counted.get(name, 0) + 1
        return function(*args)

    monkeypatch.setattr(f"anidata.{place}", counting)
