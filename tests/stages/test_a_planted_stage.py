"""A stage is its folder and its line in the list.

One that a test plants is run, shown, asked and resumed like the others.
"""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import anidata.stages
from anidata import registry
from drawings import drawing, save

CHECKOUT = Path(anidata.__file__).parents[2]
FACE = '''"""Grade: how colorful a picture is, from 0 to 10; the dullest are rejected."""

from anidata.registry import face

SETTINGS = "grade"

__getattr__ = face(
    __name__,
    {name: "stage" for name in ("DECISION", "Config", "run", "is_up_to_date", "thresholds")},
)
'''
STAGE = '''"""Grades pictures by a column, and may be killed half-way."""

import os
import signal
from collections import Counter
from dataclasses import dataclass

import pyarrow as pa

from anidata import recipe
from anidata.catalog import decisions, tables
from anidata.catalog.catalog import Catalog
from anidata.catalog.decisions import REASONS, Decision, Threshold
from anidata.recipe import Amount

DECISION = Decision("grade", pa.schema([*REASONS, ("grade", pa.float32())]), ("dull",))


@dataclass(frozen=True)
class Config:
    """Reject the dull."""

    min_grade: Amount = 0.0  # of 10


def run(job):
    if is_up_to_date(job):
        return Counter()
    with Catalog(job.workspace) as views:
        sql = "SELECT key, chroma / 25.5 AS grade FROM _kept_before_grade ORDER BY key"
        rows = views.select(sql).to_pylist()
    graded = [row | {"reasons": ["dull"] * (row["grade"] < job.recipe.grade.min_grade)} for row in rows]
    if os.environ.get("GRADE_DIES"):
        os.kill(os.getpid(), signal.SIGKILL)
    tables.write(DECISION.path(job.workspace), tables.table(graded, DECISION.schema), {"state": _state(job)})
    return Counter(graded=len(graded))


def is_up_to_date(job):
    return tables.made_from(DECISION.path(job.workspace)).get("state") == _state(job)


def thresholds(views, job):
    least = job.recipe.grade.min_grade
    named = {"stage": "grade", "reason": "dull", "setting": "min_grade", "about": "grade", "value": "grade"}
    return [Threshold(**named, limit=least, least=True)] if least else []


def _state(job):
    seen = tables.state_of(job.workspace.folder("images"), *decisions.paths(job.workspace, before="grade"))
    return recipe.fingerprint(job.recipe.grade, seen)
'''


class Planted:
    """A copy of the package with one stage more, and a pile to run it on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work, self.pile = folder, folder / "work", folder / "pile"
        shutil.copytree(
            CHECKOUT / "src/anidata",
            folder / "src/anidata",
            ignore=shutil.ignore_patterns("__pycache__", "art"),
        )
        shutil.copytree(CHECKOUT / "pipelines", folder / "pipelines")
        shutil.copy(CHECKOUT / "pyproject.toml", folder)
        stage = folder / "src/anidata/stages/grade"
        stage.mkdir()
        (stage / "__init__.py").write_text(FACE)
        (stage / "stage.py").write_text(STAGE)
        listed = folder / "src/anidata/registry.py"
        text = listed.read_text()
        assert text.count('"extract_lineart",') == 1
        listed.write_text(text.replace('"extract_lineart",', '"grade", "extract_lineart",'))
        for n in range(6):
            save(self.pile / f"{n}.png", drawing(n))
        gray = drawing(7).mean(axis=2, keepdims=True).repeat(3, axis=2)
        save(self.pile / "dull.png", (0.9 * gray + 0.1 * drawing(7)).astype("uint8"))

    def command(self, *words: object, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "anidata", *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(self.folder / "src"), **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *words: object) -> dict:
        done = self.command(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Planted:
    """Run to its end, after a first run was killed within the stage."""
    planted = Planted(tmp_path_factory.mktemp("planted"))
    words = ["run", "quickstart", planted.work, planted.pile, "--workers", 1, "--set", "grade.min_grade=2.5"]
    words += ["--set", "clean.min_chroma=0", "--json"]
    killed = planted.command(*words, GRADE_DIES="1")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    planted.first = planted.json(*words)
    return planted


pytestmark = pytest.mark.skipif(
    not (CHECKOUT / "pyproject.toml").is_file(), reason="this is no checkout whose package could be copied"
)


def test_it_runs_in_its_turn_and_goes_on_after_a_kill(planted):
    assert planted.first["done"]["grade"] == {"graded": 7}
    assert planted.first["done"]["ingest"] == {}  # that was done before the kill
    assert list(planted.first["done"]) == ["ingest", "clean", "dedup", "grade", "lineart", "shard"]
    assert planted.first["funnel"]["samples"].keys() <= {"train", "val", "test"}
    assert sum(planted.first["funnel"]["samples"].values()) == 6


def test_its_reason_stands_in_the_funnel(planted):
    assert planted.first["funnel"]["rejected"] == {"dull": 1}
    assert planted.first["funnel"]["kept"] == 6


def test_its_column_and_reason_can_be_asked_for(planted):
    for view in ("records", "images"):
        done = planted.command(
            "query", planted.work, f"SELECT file, grade, keep, reasons FROM {view}", "--format", "json"
        )
        rows = (
            {row["file"]: row for row in map(json.loads, done.stdout.splitlines())}
            if done.stdout[0] == "{"
            else {row["file"]: row for row in json.loads(done.stdout)}
        )
        assert (
            rows["dull.png"]["grade"]
            < 2.5
            < min(row["grade"] for name, row in rows.items() if name != "dull.png")
        )
        assert rows["dull.png"]["reasons"] == ["dull"]
        assert [name for name, row in rows.items() if not row["keep"]] == ["dull.png"]


def test_the_page_shows_its_reason_and_draws_its_threshold(planted):
    page = planted.folder / "page.html"
    assert planted.command("report", planted.work, "-o", page, "--workers", 1).returncode == 0
    text = page.read_text(encoding="utf-8")
    assert "dull" in text
    assert "What grade looks at: grade" in text
    assert "min_grade = 2.5" in text


def test_it_goes_stale_when_its_input_changes_and_its_own_command_renews_it(planted):
    status = planted.json("status", planted.work, "--json")
    assert status["stages"]["grade"] == "up to date"
    planted.json("clean", planted.work, "--set", "clean.min_side=64", "--json")
    status = planted.json("status", planted.work, "--json")
    assert status["stages"]["grade"] == "stale"
    planted.json("dedup", planted.work, "--json", "--workers", 1)
    status = planted.json("status", planted.work, "--json")
    assert status["next_command"] == f"anidata grade {planted.work}"
    assert planted.json("grade", planted.work, "--json")["done"] == {"graded": 7}
    assert planted.json("status", planted.work, "--json")["stages"]["grade"] == "up to date"
    assert planted.json("grade", planted.work, "--json")["done"] == {}


def test_its_command_and_its_settings_are_known(planted):
    assert "grade" in planted.command("--help").stdout
    refused = planted.command("grade", planted.work, "--set", "grade.min_grad=1")
    assert "Did you mean 'min_grade'?" in refused.stderr
    assert "[grade]" in (planted.work / "recipe.toml").read_text()


@pytest.mark.parametrize("name", registry.STAGES)
def test_every_stage_offers_what_the_contract_asks(name):
    stage = registry.stage(name)
    assert isinstance(stage.SETTINGS, str)
    assert stage.Config.__dataclass_params__.frozen
    assert callable(stage.run)
    assert callable(stage.is_up_to_date)
    assert registry.title(stage)
    assert hasattr(stage, "DECISION") or callable(stage.has_run)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        stage.nothing  # noqa: B018
    if hasattr(stage, "DECISION"):
        assert stage.DECISION.schema.names[0] == "key"
        assert "reasons" in stage.DECISION.schema.names
        assert stage.DECISION.reasons


@pytest.mark.parametrize("name", registry.STAGES)
def test_a_face_gives_every_name_that_it_lists_and_no_other_hook(name):
    stage = registry.stage(name)
    tree = ast.parse(Path(stage.__file__).read_text(encoding="utf-8"))
    (homes,) = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    listed = [key.value for key in homes.keys]
    assert all(getattr(stage, word) is not None for word in listed)
    known = re.findall(r"^    (\w+)[(:]", anidata.stages.__doc__, re.MULTILINE)
    assert set(listed) <= set(known)
