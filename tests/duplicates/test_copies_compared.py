"""The command that compares copies, over a few drawings: it prints its tables, and goes on where it was."""

import sys

import numpy as np
import pytest

import compare_copies
from copies import mirrors, running
from drawings import drawing, save

ONLY = ("jpeg_q30", "resize_0.5", "watermark")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of art whose halves have three drawings each."""
    home = tmp_path_factory.mktemp("compared")
    for n, half in enumerate(("fit", "check")):
        for k in range(3):
            save(home / "art" / half / "package" / f"{'abc'[k] * 3}.png", drawing(10 * n + k))
    return home


def run(home, monkeypatch, capsys, *words):
    monkeypatch.setattr(compare_copies, "MADE", home / "made")
    command = ["compare_copies.py", "--art", str(home / "art"), "--folder", str(home / "results"), *words]
    monkeypatch.setattr(sys, "argv", command)
    compare_copies.main()
    return capsys.readouterr().out


@pytest.mark.slow
def test_it_prints_a_table_a_half_and_runs_nothing_twice(home, monkeypatch, capsys):
    words = "--half", "fit", "--skip", "tools", "--only", *ONLY
    first = run(home, monkeypatch, capsys, *words)
    assert "## fit: 3 originals, 9 copies" in first
    for name in ONLY:
        assert f"| {name} | 3 | 1 | " in first
    assert "| all transforms linked |  | 1.0000 (9 of 9) | 1.0000 (9 of 9) |" in first
    for case in mirrors.CASES:
        assert f"| {case} | " in first
    ran = {
        path: path.stat().st_mtime_ns for path in (home / "results").rglob("*.csv") if path.stem != "wrong"
    }
    assert len(ran) >= 3 + 1 + len(mirrors.CASES) - 1
    monkeypatch.setattr(running, "_decided", lambda *_: pytest.fail("run twice"))
    again = run(home, monkeypatch, capsys, *words)
    assert again.splitlines()[:-1] == first.splitlines()[:-1]
    assert {path: path.stat().st_mtime_ns for path in ran} == ran


@pytest.mark.slow
def test_the_full_run_keeps_no_pictures_and_goes_on_all_the_same(home, monkeypatch, capsys, tmp_path):
    words = (
        "--full",
        "--half",
        "fit",
        "--skip",
        "tools",
        "mirrors",
        "--only",
        "webp",
        "--folder",
        str(tmp_path),
    )
    first = run(home, monkeypatch, capsys, *words)
    assert "## fit: 3 originals, 3 copies" in first
    assert {path.suffix for path in (tmp_path / "fit" / "made").rglob("*.*")} == {".csv"}
    for path in (tmp_path / "fit").glob("*-0/*.csv"):
        assert path.stat().st_size
    monkeypatch.setattr(running, "_decided", lambda *_: pytest.fail("run twice"))
    assert run(home, monkeypatch, capsys, *words).splitlines()[:-1] == first.splitlines()[:-1]


@pytest.mark.slow
def test_a_choice_stands_though_more_is_collected(home, monkeypatch, capsys):
    words = "--half", "check", "--skip", "tools", "alone", "crowd", "mirrors", "--only", *ONLY
    assert "## check: 3 originals" in run(home, monkeypatch, capsys, *words)
    save(home / "art" / "check" / "package" / "ddd.png", drawing(99))
    assert "## check: 3 originals" in run(home, monkeypatch, capsys, *words)


@pytest.mark.slow
def test_pairs_are_asked_under_each_condition(home, monkeypatch, capsys, tmp_path):
    words = "--half", "fit", "--orders", "2", "--folder", str(tmp_path / "orders"), "--only", "resize_0.5"
    said = run(home, monkeypatch, capsys, *words)
    assert "Of 2 pairs the same one stays in every condition: " in said
    for condition in ("as made", "copy first", "original larger", "copy larger", "both lossless", "alone"):
        assert f"| {condition} | 2 |" in said


def test_the_full_run_asks_for_a_folder(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compare_copies.py", "--full"])
    with pytest.raises(SystemExit):
        compare_copies.main()
    assert "give it a --folder" in capsys.readouterr().err


def test_a_symmetrical_original_makes_no_mirrored_pair(tmp_path):
    half = drawing(4, 120, 200)
    save(tmp_path / "one.png", np.hstack([half, half[:, ::-1]]))
    original = mirrors.Original("one", tmp_path / "one.png")
    mirrors._make("nothing", original, tmp_path / "piles")
    assert not [path for path in (tmp_path / "piles").rglob("*") if path.is_file()]
    mirrors._make("text", original, tmp_path / "piles")
    assert sorted(path.parent.name for path in (tmp_path / "piles").rglob("*.*")) == ["artist", "found"]
