"""The command line as a user meets it.

Help, version, errors in one line, JSON on stdout and progress on stderr.
"""

import json
import subprocess
import sys
from contextlib import nullcontext

import duckdb
import pyarrow as pa
import pytest

import anidata
from anidata import registry
from anidata.cli import common, ctrl_c, entry
from anidata.errors import WorkspaceError
from anidata.workspace import open_workspace
from drawings import ART


def anidata_command(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "anidata", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def test_importing_anidata_imports_nothing_heavy():
    heavy = {"torch", "cv2", "pyarrow", "duckdb", "numpy", "PIL"}
    code = f"import sys, anidata, anidata.cli.entry; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("command", "is_hidden"),
    [("run", True), ("--help", True), ("draw", True), ("train-baseline", False), ("colorize", False)],
)
def test_pandas_is_hidden_from_the_commands_that_never_ask_for_it(command, is_hidden):
    program = """
import sys, anidata.cli.entry
anidata.cli.entry.app = type("App", (), {
    "__call__": lambda self: print([type(f).__name__ for f in sys.meta_path].count("_NoPandas")),
    "registered_commands": anidata.cli.entry.app.registered_commands,
})()
anidata.cli.entry.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, command], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{is_hidden:d}\n"


def test_version_is_printed():
    assert anidata_command("--version").stdout == f"anidata {anidata.__version__}\n"


def test_help_names_every_command():
    text = anidata_command("--help").stdout
    commands = (
        "run",
        "ingest",
        "clean",
        "dedup",
        "extract-lineart",
        "shard",
        "audit",
        "query",
        "status",
        "report",
        "find",
        "draw",
        "list",
    )
    assert all(f" {name} " in text for name in commands)
    assert "--install-completion" in text


def test_a_typed_error_is_one_line_with_its_exit_code(tmp_path):
    done = anidata_command("status", tmp_path / "nothing")
    assert done.returncode == 3
    assert done.stdout == ""
    assert (
        done.stderr.strip() == f"WorkspaceError: {tmp_path}/nothing is no workspace. "
        f"Start one with: anidata ingest {tmp_path}/nothing SOURCE"
    )


def test_an_unknown_recipe_key_names_the_nearest(tmp_path):
    (tmp_path / "mine.toml").write_text("[clean]\nmin_sid = 3\n")
    done = anidata_command("run", "mine.toml", "work", ART, cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (
        2,
        "RecipeError: mine.toml, [clean] min_sid: no such setting. Did you mean 'min_side'?",
    )
    assert not (tmp_path / "work").exists()


def test_an_unknown_recipe_names_the_nearest(tmp_path):
    done = anidata_command("run", "quikstart", tmp_path / "work")
    assert done.returncode == 2
    assert "Did you mean 'quickstart'?" in done.stderr


def test_a_missing_source_says_what_a_source_is(tmp_path):
    done = anidata_command("ingest", tmp_path / "work", tmp_path / "nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith(f"SourceError: {tmp_path}/nowhere: there is no such file or folder.")


def test_a_whole_run_prints_the_funnel_the_data_set_and_the_sheet_and_progress_on_stderr(
    pile, tmp_path, monkeypatch
):
    monkeypatch.delenv("ANIDATA_QUIET")
    done = anidata_command("run", "quickstart", tmp_path / "work", pile)
    assert done.returncode == 0, done.stderr
    assert "ingest: 13 of 13 pictures" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()][:4] == [
        "found",
        "seen",
        "failed",
        "rejected",
    ]
    assert f"data set  {tmp_path}/work/dataset" in done.stdout
    assert f"contact sheet  {tmp_path}/work/contact-sheet.png" in done.stdout
    assert (tmp_path / "work/contact-sheet.png").read_bytes().startswith(b"\x89PNG")
    again = anidata_command("run", "quickstart", tmp_path / "work", pile)
    assert again.stdout.startswith("Nothing to do")
    status = json.loads(anidata_command("status", tmp_path / "work", "--json").stdout)
    assert set(status["stages"].values()) == {"up to date"}
    assert status["next_command"] is None
    assert anidata_command("audit", tmp_path / "work/dataset").returncode == 0


@pytest.mark.slow
def test_a_whole_run_of_the_bundled_pictures(tmp_path, monkeypatch):
    monkeypatch.delenv("ANIDATA_QUIET")
    done = anidata_command("run", "quickstart", tmp_path / "work", "sample:")
    assert done.returncode == 0, done.stderr
    assert "ingest: 36 of 36 pictures" in done.stderr
    assert anidata_command("audit", tmp_path / "work/dataset").returncode == 0


def test_json_is_one_object_on_stdout(pile, tmp_path):
    done = anidata_command("run", "quickstart", tmp_path / "work", pile, "--json")
    result = json.loads(done.stdout)
    assert result["funnel"]["found"] == 13
    assert result["dataset"] == str(tmp_path / "work/dataset")


def test_status_names_the_next_command(pile, tmp_path, command, inline):
    work, stages = tmp_path / "work", []
    command("ingest", work, pile)
    while step := command("status", work, "--json")["next_command"]:
        stages.append(step.split()[1])
        command(*step.split()[1:])
    assert stages == ["clean", "dedup", "extract-lineart", "shard"]


@pytest.mark.parametrize("name", ["sources", "measures", "styles", "pipelines"])
def test_each_registry_is_listed_with_one_line_a_plugin(name, command):
    titles = command("list", name, "--json")
    assert tuple(titles) == registry.names(name)
    assert all(line and "\n" not in line for line in titles.values())


def test_a_second_run_on_a_locked_workspace_stops_and_names_the_holder(pile, tmp_path, command, inline):
    command("ingest", tmp_path / "work", pile)
    with open_workspace(tmp_path / "work").locked():
        done = anidata_command("clean", tmp_path / "work")
    assert done.returncode == 3
    assert "Locked" in done.stderr
    assert "is in use by process" in done.stderr


def test_a_workspace_of_another_format_says_what_to_do(tmp_path):
    (tmp_path / "workspace.json").write_text('{"format": 99}')
    done = anidata_command("clean", tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith(f"FormatError: {tmp_path} has workspace format 99")


def test_a_ctrl_c_that_duckdb_wraps_is_known_by_its_text():
    def batches():
        yield pa.record_batch({"a": [1]})
        raise KeyboardInterrupt

    connection = duckdb.connect()
    connection.register("rows", pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches()))
    with pytest.raises(duckdb.Error) as caught:
        connection.sql("SELECT sum(a) FROM rows").fetchall()
    assert common._is_interrupt(caught.value)


# As DuckDB has it, where it called Python.
WRAPPED = "duckdb.InvalidInputException('reading the object failed: KeyboardInterrupt: ')"


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("anidata.pipeline.resolve", "KeyboardInterrupt"),
        ("anidata.pipeline.resolve", WRAPPED),
        ("anidata.cli.common.Commands.parse_args", "KeyboardInterrupt"),
    ],
)
def test_ctrl_c_outside_the_engine_says_how_to_go_on(tmp_path, function, error):
    program = f"""
import sys, anidata.cli.entry, anidata.pipeline, duckdb
def press(*_, **__):
    raise {error}
{function} = press
sys.argv = ["anidata", "run", "quickstart", {str(tmp_path / "work")!r}]
anidata.cli.entry.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, "The same command goes on." in done.stderr, "Traceback" in done.stderr) == (
        130,
        True,
        False,
    )


@pytest.mark.parametrize("where", ["?token=", "#access_token=", "?X-Amz-Signature="])
def test_an_error_that_quotes_a_file_says_no_credential_of_it(where, monkeypatch, capsys):
    def fail():
        raise WorkspaceError(f"a file says: https://user:hunter2secret@a.example/1.png{where}hunter2secret")

    monkeypatch.setattr(entry, "app", fail)
    monkeypatch.setattr(entry, "_may_import_pandas", lambda _: True)
    monkeypatch.setattr(ctrl_c, "after_imports", nullcontext)  # it leaves Ctrl-C ignored: the end
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert said.startswith("WorkspaceError: a file says: https://")
    assert "hunter2secret" not in said


PRESS = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\n"
LOADED = "from pathlib import Path\nPath(__file__).with_suffix('.txt').write_text('loaded')\n"
MODULES = {  # what is pressed while it is imported
    "at once": PRESS + LOADED,
    "slowly": PRESS + "time.sleep(0.1)\n" + LOADED,
    "twice": PRESS + "time.sleep(0.1)\n" + PRESS + LOADED,
    "where C++ aborts": (
        "import enum\nplain = enum.EnumMeta.__call__\n"
        "def pressed(*args, **named):\n"
        "    enum.EnumMeta.__call__ = plain\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return plain(*args, **named)\n"
        "import os, signal, sys\nassert 'duckdb' not in sys.modules\n"
        "enum.EnumMeta.__call__ = pressed\nimport duckdb\n"
    )
    + LOADED,
}


def command_of(*lines):
    """A command that does these lines of Python, in a process of its own."""
    body = "\n    ".join(lines)
    program = f"""
import atexit, os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import anidata.cli.entry
from anidata.errors import RecipeError
def command():
    {body}
command.registered_commands = []
anidata.cli.entry.app = command
sys.argv = ["anidata", "clean"]
anidata.cli.entry.main()
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=25, check=False
    )


@pytest.mark.parametrize("module", MODULES)
def test_ctrl_c_waits_for_the_end_of_an_import(tmp_path, module):
    (tmp_path / "pressed.py").write_text(MODULES[module])
    done = command_of(f"sys.path.append({str(tmp_path)!r})", "import pressed", "time.sleep(30)")
    assert (done.returncode, done.stderr) == (
        130,
        "Interrupted: stopped at once. The same command goes on.\n",
    )
    assert (tmp_path / "pressed.txt").read_text() == "loaded"


@pytest.mark.parametrize(
    ("end", "code"), [("raise KeyboardInterrupt", 130), ("raise RecipeError('no')", 2), ("sys.exit(0)", 0)]
)
def test_ctrl_c_after_the_end_of_a_command_changes_nothing(end, code):
    done = command_of("atexit.register(os.kill, os.getpid(), signal.SIGINT)", end)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
