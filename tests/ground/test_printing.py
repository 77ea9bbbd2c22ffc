"""What is foreign reaches a terminal as something to see, and a spreadsheet as something to read."""

import ast
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata.engine import printing, progress, spreadsheet
from anidata.engine.console import VisibleConsole
from drawings import drawing, save

PACKAGE = Path(printing.__file__).parents[1]
NAMES = [
    "\x1b]0;owned\x07\x1b[2Ja.png",
    "b\x9b31m\u202egnp.exe.png",
    "c\nforged line\r.png",
    "d\u200b\ufeff[bold][link=evil.example]:smile:.png",
    os.fsdecode(b"e\xff\xed\xa0\x80.png"),
    "=cmd|' -C calc'!A1.png",
]
# where text is written without `printing`, and why
ALLOWED = {
    "engine/printing.py": "it is the place",
    "reports/answers.py": "wide_console() is a VisibleConsole",
    "reports/terminal.py": "the same",
    "engine/worker.py": "print_exc of a template, into its log",
}


WORDS = {"print", "echo", "secho", "Console", "print_exc", "displayhook"}
STREAMS = ("stdout.write", "stderr.write")
SAFE = ("VisibleConsole().print", "console.print")  # a VisibleConsole's, as the test sees by its name


def words_that_print(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        word = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if (word.rpartition(".")[2] in WORDS or word.endswith(STREAMS)) and not word.endswith(SAFE):
            yield word


def test_no_other_place_prints():
    places = {str(path.relative_to(PACKAGE)): list(words_that_print(path)) for path in PACKAGE.rglob("*.py")}
    assert {name for name, words in places.items() if words} == ALLOWED.keys()


def test_every_console_is_a_visible_one():
    importing = [path for path in PACKAGE.rglob("*.py") if "rich.console" in path.read_text(encoding="utf-8")]
    assert importing == [PACKAGE / "engine/console.py"]


def is_seen(text):
    return all(c.isprintable() or c in "\n\u3000\u00a0" for c in text)


@given(st.text(st.characters(), max_size=40))
def test_whatever_is_printed_can_be_seen(text):
    assert is_seen(printing.visible(text))
    assert "\n" not in printing.visible(text)
    assert printing.visible(printing.visible(text)) == printing.visible(text)


@given(st.text(st.characters(), max_size=20))
def test_a_cell_is_run_by_no_spreadsheet_and_can_be_read_back(text):
    cell = spreadsheet.cell(text)
    assert spreadsheet.value(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert is_seen(cell.replace("\t", ""))


@pytest.mark.parametrize(
    "text", ["'=1", "''=1", "-5", "+", "\t=1", "a\\x1b", "\\\\", "C:\\new", "\x1b", "'twas"]
)
def test_cells_that_look_like_escapes_can_be_read_back_too(text):
    assert spreadsheet.value(spreadsheet.cell(text)) == text


def test_plain_cells_stay_as_they_are():
    for text in ["a.png", "C:\\pictures\\a.png", "'twas", "5", "two\nlines", "線画　集"]:
        assert spreadsheet.cell(text) == text


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text(), max_size=4))
def test_json_stays_json_and_is_seen(value):
    stream = io.StringIO()
    before, sys.stdout = sys.stdout, stream
    try:
        printing.out_json(value)
    finally:
        sys.stdout = before
    assert json.loads(stream.getvalue()) == value
    assert "\x9b" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


def test_a_console_takes_no_text_for_markup_or_commands():
    stream = io.StringIO()
    VisibleConsole(file=stream, width=200, force_terminal=True).print(NAMES[3], NAMES[0])
    assert "[bold][link=evil.example]:smile:" in stream.getvalue()
    assert "\\u200b" in stream.getvalue()
    assert "\x1b]" not in stream.getvalue()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A workspace of pictures by such names, and one more file for each command to stumble on."""
    home = tmp_path_factory.mktemp("names")
    pile = home / NAMES[0]
    pile.mkdir()
    for seed, name in enumerate(NAMES):
        save(pile / "plain.png", drawing(seed))
        (pile / "plain.png").rename(pile / name)
        (pile / Path(name).with_suffix(".json").name).write_text(
            json.dumps({"tags": ["=1+1", "\x1b[2J", "\u202e"]})
        )
    (pile / "\x1b[2Jbroken.png").write_bytes(b"no picture")
    done = run("run", "quickstart", home / "work", pile, "--dataset", home / "data")
    assert done.returncode == 0, done.stderr
    assert not unseen(done)
    return home


def run(*words):
    command = [sys.executable, "-m", "anidata", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})


def unseen(done):
    texts = [stream.decode("utf-8") for stream in (done.stdout, done.stderr)]
    return [c for text in texts for c in text if not is_seen(c)]


COMMANDS = {
    "status": lambda home: ("status", home / "work"),
    "status json": lambda home: ("status", home / "work", "--json"),
    "query": lambda home: ("query", home / "work", "SELECT file, tags, message, root FROM records"),
    "query csv": lambda home: ("query", home / "work", "SELECT file, tags FROM records", "--format", "csv"),
    "query json": lambda home: ("query", home / "work", "SELECT file, tags FROM records", "--format", "json"),
    "query error": lambda home: ("query", home / "work", "SELECT \x1b[2J FROM \u202erecords"),
    "find": lambda home: ("find", home / "work", *sorted((home / NAMES[0]).glob("*.png"))),
    "explain": lambda home: ("clean", home / "work", "--explain", NAMES[1]),
    "explain none": lambda home: ("clean", home / "work", "--explain", "\x1b[2Jnone"),
    "audit": lambda home: ("audit", home / "data", home / NAMES[0]),
    "draw": lambda home: ("draw", home / NAMES[0], "-o", home / "\x1b[2Jdrawn"),
    "no source": lambda home: ("ingest", home / "work", "\x1b[2J\u202enowhere"),
    "no command": lambda home: ("\x1b[2Jrun",),
    "no option": lambda home: ("status", home / "work", "--\x1b[2J\u202e"),
    "no recipe": lambda home: ("run", "\x1b[2J", home / "other"),
    "a locked name": lambda home: ("status", home / "\x1b[2J\nwork"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_lets_a_name_reach_the_terminal_raw(work, name):
    words = COMMANDS[name](work)
    done = run(*words)
    assert done.stdout or done.stderr
    assert unseen(done) == []
    assert b"Traceback" not in done.stderr


def test_json_of_a_query_has_the_names_as_they_are(work):
    done = run("query", work / "work", "SELECT file FROM records", "--format", "json")
    files = {row["file"] for row in json.loads(done.stdout)}
    assert set(NAMES[:4]) <= files


def test_csv_of_a_query_can_be_read_back(work):
    done = run("query", work / "work", "SELECT file, -1 AS n FROM records", "--format", "csv")
    rows = list(csv.reader(io.StringIO(done.stdout.decode(), newline="")))[1:]
    assert set(NAMES[:4]) <= {spreadsheet.value(file) for file, _ in rows}
    assert {n for _, n in rows} == {"-1"}
    assert any(file.startswith("'=cmd") for file, _ in rows)


def test_an_error_that_nobody_expected_is_seen_too():
    program = "from anidata.engine import printing; printing.make_safe(); "
    program += r"raise RuntimeError('\x1b[2J\u202e\udc80')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert unseen(done) == []
    assert b"RuntimeError: \\x1b[2J\\u202e\\udc80" in done.stderr


def test_a_progress_line_and_a_note_are_seen(capsys):
    progress.say("passed by \x1b[2J")
    progress.Lines("ingest", 1, "pictures").note("\u202e")
    assert capsys.readouterr().err == "passed by \\x1b[2J\ningest: \\u202e\n"
