"""Fixtures: pictures drawn by code, the command line in this process, and an engine that works in it too."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from drawings import make_pile
from inline import Inline

WATCHED = (signal.SIGINT, signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD)


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is trusted here is remembered in a folder of the tests' own, and nobody's weights are found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIDATA_QUIET", "1")


@pytest.fixture(autouse=True)
def _handlers_are_given_back() -> Iterator[None]:
    """No test leaves a signal to another handler: what is ignored here is so in all that is started later."""
    kept = {number: signal.getsignal(number) for number in WATCHED}
    yield
    left = {number: signal.getsignal(number) for number in WATCHED}
    for number, handler in kept.items():
        signal.signal(number, handler)
    assert left == kept


@pytest.fixture(autouse=True)
def _paths_are_given_back() -> Iterator[None]:
    """No folder that a test, or a library in it, adds to where modules are looked for stays there.

    What is tested later would read it.
    """
    kept = list(sys.path)
    yield
    sys.path[:] = kept


@pytest.fixture
def pile(tmp_path: Path) -> Path:
    """A folder with ten distinct drawings, a small copy of one, a broken and a tiny file."""
    return make_pile(tmp_path / "pile")


@pytest.fixture
def command() -> Callable[..., Any]:
    """Run a command in this process; its JSON where it gives one, else its text.

    An error of anidata's is raised.
    """

    def run(*words: object) -> Any:
        result = CliRunner().invoke(anidata.cli.entry.app, [str(w) for w in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in words else result.stdout

    return run


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages work in this process."""
    monkeypatch.setattr("anidata.engine.engine.Engine", Inline)


@pytest.fixture
def calls(inline: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often pictures are decoded and colors and lines encoded, counted where that happens.

    Clear it between steps.
    """
    counted: dict[str, int] = {}
    for path in ("imaging.decode.decode", "imaging.encode.encode_color", "imaging.encode.encode_line"):
        _count(monkeypatch, path, counted)
    return counted


def _count(monkeypatch: pytest.MonkeyPatch, path: str, counted: dict[str, int]) -> None:
    module, name = path.rsplit(".", 1)
    function = getattr(__import__(f"anidata.{module}", fromlist=[name]), name)

    def counting(*args: Any) -> Any:
        counted[name] = counted.get(name, 0) + 1
        return function(*args)

    monkeypatch.setattr(f"anidata.{path}", counting)
