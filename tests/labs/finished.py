"""Finished work that tests share: made once, and put back as it was before each test that takes it."""

import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from inline import Inline


class Restored:
    """A folder as it is now. Restored at its own path, for a workspace knows its sources by theirs."""

    def __init__(self, home: Path) -> None:
        self._home, self._kept = home, home.with_name(f"{home.name} kept")
        shutil.copytree(home, self._kept, symlinks=True)

    def restore(self) -> Path:
        """Put it back; the dates too: they tell a stage whether its input has changed."""
        shutil.rmtree(self._home, ignore_errors=True)
        shutil.copytree(self._kept, self._home, symlinks=True)
        return self._home


def run_inline(*words: object) -> None:
    """Run a command in this process and without workers, outside of a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANIDATA_QUIET", "1")
        patch.setattr("anidata.engine.engine.Engine", Inline)
        result = CliRunner().invoke(anidata.cli.entry.app, [os.fspath(word) for word in words])
    assert result.exit_code == 0, result.output
