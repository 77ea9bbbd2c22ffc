import contextlib
import io
import pty
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata.engine import progress
from anidata.engine.progress import Bar, Lines, described, display, duration


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def lines():
    stream, clock = io.StringIO(), Clock()
    return Lines("ingest", 40_000, "pictures", stream, clock), stream, clock


@pytest.mark.parametrize(
    ("done", "total", "seconds", "words"),
    [
        (1_024, 40_000, 4.876, "1,024 of 40,000 pictures, 210/s, 3 min left"),
        (0, 40_000, 3, "0 of 40,000 pictures"),
        (40_000, 40_000, 190, "40,000 of 40,000 pictures, 211/s"),
        (500, 0, 100, "500 pictures, 5.0/s"),
        (10, 40, 1_200, "10 of 40 pictures, 0.5/min, 1 h 0 min left"),
        (3, 2, 1, "3 of 2 pictures, 3.0/s"),
        (5, 9, 0, "5 of 9 pictures"),
    ],
)
def test_the_words_tell_done_total_rate_and_time_left(done, total, seconds, words):
    assert described(done, total, seconds, "pictures") == words


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 10**7))
def test_any_numbers_can_be_told(done, total, seconds):
    assert described(done, total, seconds, "pictures").startswith(f"{done:,} ")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.2, "59 s"), (59.7, "1 min"), (60, "1 min"), (3_599, "1 h 0 min"), (7_800, "2 h 10 min")],
)
def test_durations_read_as_people_say_them(seconds, words):
    assert duration(seconds) == words


def test_a_plain_line_comes_every_ten_seconds_and_one_at_the_end(lines):
    shown, stream, clock = lines
    for second in range(1, 26):
        clock.now += 1
        shown.update(second * 200)
    shown.close()
    assert stream.getvalue().splitlines() == [
        "ingest: 2,000 of 40,000 pictures, 200/s, 3 min left",
        "ingest: 4,000 of 40,000 pictures, 200/s, 3 min left",
        "ingest: 5,000 of 40,000 pictures, 200/s, 3 min left",
    ]


def test_a_note_stands_as_its_own_line(lines):
    shown, stream, _ = lines
    shown.note("finishing 2 parts")
    assert stream.getvalue() == "ingest: finishing 2 parts\n"


def test_no_terminal_means_plain_lines_on_stderr(monkeypatch, capsys):
    monkeypatch.delenv(progress.QUIET, raising=False)
    shown = display("ingest", 10)
    shown.close()
    assert capsys.readouterr() == ("", "ingest: 0 of 10 pictures\n")


@pytest.mark.parametrize(("label", "quiet"), [("", ""), ("ingest", "1")])
def test_without_a_label_or_when_told_to_be_quiet_nothing_is_shown(monkeypatch, capsys, label, quiet):
    monkeypatch.setenv(progress.QUIET, quiet)
    shown = display(label, 10)
    shown.update(5)
    shown.note("something")
    shown.close()
    assert capsys.readouterr() == ("", "")


def _all_of(main):
    """What was written to a terminal whose other end is closed."""
    seen = b""
    with open(main, "rb", buffering=0) as file, contextlib.suppress(OSError):  # EIO: no more will come
        while chunk := file.read(100_000):
            seen += chunk
    return seen.decode()


def test_a_terminal_gets_a_bar_with_the_same_words_and_stdout_stays_clean(monkeypatch, capsys):
    main, terminal = pty.openpty()
    monkeypatch.delenv(progress.QUIET, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    with open(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        shown = display("ingest", 40)
        assert isinstance(shown, Bar)
        shown.update(10)
        print("a result")
        shown.note("a [note]")
        shown.close()
    seen = _all_of(main)
    assert "10 of 40 pictures, " in seen
    assert "ingest: a [note]" in seen
    assert "a result" not in seen
    assert capsys.readouterr().out == "a result\n"
