"""Every file is opened by the one opener; what is no regular file ends in a typed error, unwaited for."""

import ast
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import anidata
from anidata import storage
from anidata.errors import AnidataError, BadImage
from anidata.tar import opening
from drawings import drawing, save

SOURCES = Path(anidata.__file__).parent
SECONDS = 10

# --- the contract ---------------------------------------------------------------------------------

READERS = {"open", "read_bytes", "read_text"}
LIBRARIES = {
    "ParquetFile",
    "read_table",
    "memmap",
    "open_memmap",
    "safe_open",
    "FileIO",
    "fdopen",
    "read_schema",
}
# File and call → why it is no opening of somebody's file.
ALLOWED = {
    ("tar/opening.py", "open"): "the opener itself",
    ("tar/opening.py", "os.open"): "the opener itself",
    ("tar/opening.py", "read_bytes"): "the opener itself",
    ("ownership.py", "os.open"): "folders, and locks that are then checked",
    ("storage.py", "os.open"): "what we begin to write; a growing file is then checked",
    ("storage.py", "open"): "a descriptor that we write by",
    ("storage.py", "FileIO"): "a descriptor that was checked",
    ("registry.py", "os.open"): "a file of the user's state that we begin",
    ("imaging/loose/writing.py", "os.open"): "what we begin to write, and its folder",
    ("imaging/loose/writing.py", "open"): "a descriptor that we write by",
    ("training/run/logs.py", "open"): "metrics.csv, to write on: it has just been published",
    ("stages/dedup/candidates.py", "open"): "our private folder, to write",
    ("stages/dedup/candidates.py", "memmap"): "our private folder",
    ("stages/dedup/candidates.py", "np.load"): "our private folder; allow_pickle is off",
    ("duplicates/lettering.py", "np.load"): "bytes that the opener has read; allow_pickle is off",
    ("reports/find.py", "open"): "our private folder, to write",
    ("audit/pictures.py", "memmap"): "our private folder",
    ("engine/worker.py", "read_text"): "/proc/self/statm, the system's own",
    ("sources/archives/zip.py", "open"): "a member of a zip that is open",
    ("sources/web/url_lists.py", "gzip.open"): "a file that is open",
    ("sources/web/url_lists.py", "ParquetFile"): "a file that is open",
    ("training/evaluation/pages.py", "ParquetFile"): "a file that is open",
    ("sources/listing/shards.py", "open"): "a URL, by fsspec",
    ("dataset/stream.py", "fsspec.open"): "a URL that was typed",
    (
        "sources/videos/stream.py",
        "av.open",
    ): "in a process of its own, with a time limit, of a file that was read",
    ("sources/videos/program.py", "fdopen"): "its own standard output",
    # libraries that open a path themselves, behind opening.check
    ("catalog/tables.py", "ParquetFile"): "checked",
    ("catalog/arrays.py", "open_memmap"): "checked",
    ("imaging/admission.py", "ParquetFile"): "checked",
    ("sources/listing/tables.py", "ParquetFile"): "checked",
    ("sources/listing/shards.py", "ParquetFile"): "checked",
    ("training/run/checkpoints.py", "safe_open"): "checked, in forms.check_header",
}


def calls(path):
    """The calls in a module that open a file, as `ALLOWED` spells them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if name in {"np.load", "os.open"}:
            yield name
        elif last in LIBRARIES:
            yield last
        elif last in READERS and not name.startswith("opening."):
            yield name if name in ("gzip.open", "fsspec.open", "av.open", "tarfile.open") else last


def test_no_file_is_opened_but_by_the_opener():
    seen = {
        (path.relative_to(SOURCES).as_posix(), call): None
        for path in SOURCES.rglob("*.py")
        for call in calls(path)
    }
    seen.pop(("fetch/rules.py", "read_text"), None)  # a response's text, of a function so called
    assert {one for one in seen if one not in ALLOWED} == set()
    assert {one for one in ALLOWED if one not in seen} == set()


RUNNING = {"exec", "eval", "exec_module", "import_module", "__import__", "run_module", "run_path"}
MAY_RUN = {
    ("training/models.py", "exec"): "a model file that is trusted: models.load, models.load_of",
    ("registry.py", "import_module"): "names of the registry's own folders, of stages, of rooms",
    ("__init__.py", "import_module"): "names of a table",
    ("engine/worker.py", "import_module"): "the modules of the functions that the main process sends",
    ("engine/worker.py", "pickle.loads"): "from the main process, by a pipe",
    ("training/weights/conversion.py", "torch.load"): "of a known digest, and tensors alone (weights_only)",
    ("engine/ongoing.py", "pickle.loads"): "from a worker of ours, by a pipe",
    ("engine/limited.py", "pickle.loads"): "from a worker of ours, by a pipe",
}


def test_nothing_in_a_file_becomes_an_import_or_a_program_but_a_trusted_model():
    seen = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            last = name.rpartition(".")[2]
            if name.startswith(("pickle.load", "torch.load", "joblib.", "marshal.", "yaml.load", "shelve.")):
                seen.add((path.relative_to(SOURCES).as_posix(), name))
            elif last in RUNNING and not name.endswith(".eval"):  # a network's
                seen.add((path.relative_to(SOURCES).as_posix(), last))
    assert seen == set(MAY_RUN)


# --- the opener -----------------------------------------------------------------------------------


def fifo(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def bound(path):
    """A socket, by a short path: a long one is none."""
    with contextmanager(_in)(path.parent), socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def _in(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


KINDS = [fifo, device, bound]


@pytest.fixture(autouse=True)
def _in_time():
    """A test that waits is ended, and fails."""

    def late(*_):
        raise TimeoutError("it waited")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(3 * SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_by_a_typed_error(tmp_path, kind):
    kind(tmp_path / "a")
    for read in (opening.opened, opening.descriptor, opening.read_bytes, opening.read_text, opening.check):
        with pytest.raises(OSError, match="a") as caught:
            read(tmp_path / "a")
        assert kind is bound or isinstance(caught.value, AnidataError)
    with pytest.raises(BadImage, match="unreadable: "):
        storage.read(storage.Reference("a"), tmp_path, 100)
    with pytest.raises(BadImage, match="unreadable: "):
        storage.read(storage.Reference(storage.uri_of(tmp_path / "a")), tmp_path, 100, links=True)


def test_a_refusal_says_what_and_what_to_do(tmp_path):
    fifo(tmp_path / "a")
    with pytest.raises(opening.NotRegular) as caught:
        opening.read_bytes(tmp_path / "a")
    assert str(caught.value) == (
        f"{tmp_path}/a: no regular file: it isn't opened. "
        "Put a file in its place, then run the same command again."
    )
    assert caught.value.exit_code == 5


def test_a_file_is_read_whole_and_no_further_than_its_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert opening.read_bytes(tmp_path / "a", 100) == b"x" * 100
    with pytest.raises(opening.TooLarge, match="more than the 99 bytes"):
        opening.read_bytes(tmp_path / "a", 99)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system has no /proc")
def test_a_file_of_the_systems_that_does_not_tell_its_size_is_read_up_to_the_limit():
    assert b"Pid:" in opening.read_bytes("/proc/self/status")
    with pytest.raises(opening.TooLarge):
        opening.read_bytes("/proc/self/status", 10)


@pytest.mark.parametrize("text", [b"a\r\nb\rc\n", "жü".encode()])
def test_text_is_read_as_python_reads_it(tmp_path, text):
    (tmp_path / "a").write_bytes(text)
    assert opening.read_text(tmp_path / "a") == (tmp_path / "a").read_text(encoding="utf-8")


@pytest.mark.parametrize("below", ["../a", "b/../../a", "/a", "", "."])
def test_nothing_is_opened_above_its_root(tmp_path, below):
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "root/b").mkdir(parents=True)
    with pytest.raises(OSError):  # noqa: PT011  of several numbers
        opening.opened_beneath(tmp_path / "root", below)


def open_now():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_descriptor_is_never_left_open(tmp_path):
    fifo(tmp_path / "a")
    (tmp_path / "link").symlink_to("b")
    before = open_now()
    for _ in range(20):
        for name in ("a", "link", "gone", "link/c", "gone/c", "a/c"):
            with pytest.raises(OSError):  # noqa: PT011  of several numbers
                opening.opened_beneath(tmp_path, name)
    assert open_now() == before


# --- everywhere -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace with a data set."""
    folder = tmp_path_factory.mktemp("made")
    for number in range(3):
        save(folder / f"pile/{number}.png", drawing(number, 80, 80))
    ended(
        folder, "run", "quickstart", "work", "pile", "--set", "clean.min_side=64", "--set", "lineart.size=64"
    )
    return folder


def ended(folder, *words):
    """Run a command in a process of its own; its exit code and what it says on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "anidata", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,  # on a machine that does other things too
        check=False,
        env=os.environ | {"ANIDATA_QUIET": "1"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr + done.stdout


# A file, and the command that reads it; 0: it becomes a row, or is made again.
PLACES = {
    "recipe": ("mine.toml", ["run", "mine.toml", "new", "pile"], {2, 5}),
    "the workspace's recipe": ("work/recipe.toml", ["clean", "work"], {2, 5}),
    "settings": ("work/settings.toml", ["clean", "work"], {2, 5}),
    "mark": ("work/workspace.json", ["status", "work"], {3, 5}),
    "list": ("list.csv", ["ingest", "new", "urls:list.csv"], {2, 5}),
    "table": ("table.parquet", ["ingest", "new", "parquet:table.parquet"], {2, 5}),
    "sidecar": ("pile/0.txt", ["ingest", "new", "pile"], {0}),
    "notes": ("pile/metadata.csv", ["ingest", "new", "pile"], {0}),
    "picture": ("pile/9.png", ["ingest", "new", "pile"], {0}),
    "archive": ("pile/a.zip", ["ingest", "new", "pile"], {0}),
    "archive by name": ("a.zip", ["ingest", "new", "archive:a.zip"], {2, 5}),
    "shard by name": ("a.tar", ["ingest", "new", "webdataset:a.tar"], {2, 5}),
    "video": ("a.mp4", ["ingest", "new", "video:a.mp4"], {2, 4, 5}),
    "network": ("n.onnx", ["draw", "pile/0.png", "-o", "out", "--style", "onnx:n.onnx"], {2, 4, 5}),
    "picture to draw": ("p.png", ["draw", "p.png", "-o", "out"], {1}),
    "picture to find": ("p.png", ["find", "work", "p.png"], {0, 1, 2}),
    "lock": ("work/.lock", ["clean", "work"], {3, 5}),
    "plan": ("work/plan/00000.parquet", ["ingest", "work", "pile"], {5}),
    "records": ("work/records/part-00000-00000.parquet", ["query", "work", "SELECT 1 FROM records"], {5}),
    "decisions": ("work/decisions/clean.parquet", ["shard", "work"], {0, 5}),
    "pairs": ("work/pairs/{tar}", ["shard", "work"], {0, 5}),
    "manifest": ("work/dataset/manifest.json", ["audit", "work/dataset"], {0, 1, 3, 5}),
    "shard": ("work/dataset/data/{shard}", ["audit", "work/dataset"], {1, 3, 5}),
    "index of shards": ("work/dataset/index/shardindex.json", ["audit", "work/dataset"], {1, 3, 5}),
    "mark of a data set": ("work/dataset/.anidata", ["shard", "work"], {0, 3, 5}),
}


@pytest.mark.parametrize("kind", [fifo, device])
@pytest.mark.parametrize("where", PLACES)
def test_wherever_a_file_is_read_what_is_none_ends_in_words(made, tmp_path, where, kind):
    signal.alarm(0)  # the command has its own
    subprocess.run(["cp", "-a", f"{made}/.", str(tmp_path)], check=True)
    name, words, codes = PLACES[where]
    shards = sorted(path.name for path in (tmp_path / "work/dataset/data").iterdir())
    tars = sorted(path.name for path in (tmp_path / "work/pairs").glob("*.tar"))
    path = tmp_path / name.format(shard=shards[0], tar=tars[0])
    path.unlink(missing_ok=True)
    kind(path)
    code, text = ended(tmp_path, *words)
    assert code in codes, text
    assert not code or text


def test_a_picture_a_sidecar_and_an_archive_that_are_none_are_rows(made, tmp_path):
    subprocess.run(["cp", "-a", f"{made}/pile", str(tmp_path)], check=True)
    for name in ("a.png", "b.zip", "0.txt", "c.cbz"):
        fifo(tmp_path / "pile" / name)
    assert ended(tmp_path, "ingest", "new", "pile")[0] == 0
    _, text = ended(tmp_path, "query", "new", "SELECT file, error FROM records", "--format", "json")
    errors = {row["file"]: row["error"] for row in json.loads(text)}
    assert {name: errors[name] for name in ("a.png", "b.zip", "0.txt", "c.cbz")} == dict.fromkeys(
        ("a.png", "b.zip", "0.txt", "c.cbz"), "device"
    )
    assert errors["0.png"] is None


def test_a_folder_of_weights_or_pictures_is_as_before(tmp_path):
    save(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    assert opening.read_bytes(tmp_path / "a.png").startswith(b"\x89PNG")
    with pytest.raises(IsADirectoryError):
        opening.read_bytes(tmp_path)


def test_json_of_files_is_read_within_limits_in_one_place():
    """Another reader is msgspec's, by type (catalog/damage.py); DuckDB's answer is our own."""
    allowed = {"tar/untrusted.py", "catalog/sealed.py"}
    seen = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if re.search(r"\bjson\.loads?\(", path.read_text(encoding="utf-8"))
    }
    assert seen <= allowed | {"storage.py"}  # which mentions it
