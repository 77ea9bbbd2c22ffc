"""A query is one SELECT over the views.

Everything in them can be asked, nothing else read, and nothing written.
"""

import csv
import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import imagehash
import PIL.Image
import pyarrow as pa
import pytest

from anidata import ownership, storage
from anidata.catalog import connections
from anidata.catalog.catalog import Catalog
from anidata.catalog.sealed import Sealed
from anidata.cli import entry
from anidata.errors import QueryError, StorageError
from anidata.reports import answers
from anidata.workspace import Workspace, open_workspace
from drawings import ART

ANIDATA = [sys.executable, "-c", "from anidata.cli.entry import main; main()"]
COLUMNS = [  # DESIGN, "The views"
    *("record", "key", "source", "uri", "file", "url", "license", "artist", "rating", "tags"),
    *("status", "error", "message", "format", "width", "height", "frames", "phash"),
    *("keep", "reasons", "cluster", "keeper", "relation", "distance", "split", "shard"),
]
PICTURES = ["comic_02.jpg", "comic_01.webp", "vn_sylvie_01.png"]


def anidata(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, "ANIDATA_QUIET": "1"}
    return subprocess.run(
        [*ANIDATA, *map(str, words)], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


@pytest.fixture(scope="session")
def work(tmp_path_factory) -> Workspace:
    """A workspace before any decision: three pictures, one of them twice and cut short."""
    folder = tmp_path_factory.mktemp("query")
    pile = folder / "pile"
    pile.mkdir()
    for name in PICTURES:
        shutil.copy(ART / name, pile / name)
    (pile / "cut\n[short].jpg").write_bytes((ART / PICTURES[0]).read_bytes()[:9000])
    done = anidata("ingest", folder / "work", pile, "--workers", 1)
    assert done.returncode == 0, done.stderr
    return open_workspace(folder / "work")


@pytest.fixture
def views(work):
    with Sealed(work) as sealed:
        yield sealed


def rows(work: Workspace, sql: str, capsys: pytest.CaptureFixture) -> list[dict]:
    entry.app(["query", str(work.path), sql, "--format", "json"], standalone_mode=False)
    return json.loads(capsys.readouterr().out)


# --- what can be asked ----------------------------------------------------------------------------


def test_a_query_answers_as_a_table_as_csv_and_as_json(work):
    sql = "SELECT file, width, keep FROM records WHERE file LIKE 'comic%' ORDER BY file"
    sizes = {name: PIL.Image.open(ART / name).width for name in sorted(PICTURES)[:2]}
    done = anidata("query", work.path, sql)
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["file", "width", "keep"],
        *([n, str(w)] for n, w in sizes.items()),
    ]
    assert done.stderr == "2 rows\n"
    done = anidata("query", work.path, sql, "--format", "csv")
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["file", "width", "keep"],
        *([n, str(w), ""] for n, w in sizes.items()),
    ]
    done = anidata("query", work.path, sql, "--format", "json")
    assert json.loads(done.stdout) == [{"file": n, "width": w, "keep": None} for n, w in sizes.items()]


def test_a_wide_table_is_not_folded_where_it_is_no_terminal(work):
    done = anidata("query", work.path, "SELECT * FROM records WHERE file = 'comic_02.jpg'")
    header, row = done.stdout.splitlines()
    assert header.split()[0] == "record"
    assert "file://" in row


def test_a_name_with_line_ends_and_markup_stays_one_cell(work):
    done = anidata("query", work.path, "SELECT file, status FROM records WHERE status = 'failed'")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["file", "status"],
        ["cut\\n[short].jpg", "failed"],
    ]


def test_all_columns_of_the_contract_are_in_records(views):
    answer = views.ask("SELECT * FROM records LIMIT 0")
    assert [name for name in COLUMNS if name not in answer.column_names] == []
    assert answer.schema.field("phash").type == pa.uint64()
    assert answer.schema.field("keep").type == pa.bool_()
    assert answer.schema.field("tags").type == answer.schema.field("reasons").type == pa.list_(pa.string())
    assert len(answer.column_names) == len(set(answer.column_names))


def test_every_view_can_be_asked(views):
    for view in ("records", "images", "pairs", "samples"):
        assert "key" in views.ask(f"SELECT * FROM {view}").column_names


def test_phash_is_the_one_of_imagehash_in_16_hex_digits(work, capsys):
    readable = rows(work, "SELECT file, phash FROM records WHERE status = 'ok'", capsys)
    codes = {row["file"]: row["phash"] for row in readable}
    assert codes == {name: str(imagehash.phash(_flat(PIL.Image.open(ART / name)))) for name in PICTURES}
    assert {len(code) for code in codes.values()} == {16}


def _flat(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Alpha on white."""
    page = PIL.Image.new("RGBA", picture.size, "white")
    return PIL.Image.alpha_composite(page, picture.convert("RGBA")).convert("RGB")


def test_keys_and_uris_lead_to_the_bytes(views):
    for row in views.ask("SELECT key, uri FROM records").to_pylist():
        assert storage.key_of(storage.path_of(row["uri"], Path()).read_bytes()) == row["key"]


def test_before_any_decision_keep_and_reasons_are_null_but_for_what_failed(views):
    records = views.ask("SELECT * FROM records").to_pylist()
    decisions = {row["file"]: (row["keep"], row["reasons"], row["error"]) for row in records}
    assert decisions == dict.fromkeys(PICTURES, (None, None, None)) | {
        "cut\n[short].jpg": (False, ["failed"], "truncated")
    }


def test_json_has_numbers_for_numbers_and_null_for_what_it_has_no_word_for(work, capsys):
    sizes = sum((ART / name).stat().st_size for name in PICTURES) + 9000
    sql = (
        "SELECT sum(bytes) AS total, 'nan'::double AS n, 'inf'::double AS i, [1.5::decimal(4,2)] AS d, "
        "'ab'::blob AS b, date '2020-01-02' AS t FROM records"
    )
    assert rows(work, sql, capsys) == [
        {"total": sizes, "n": None, "i": None, "d": [1.5], "b": "6162", "t": "2020-01-02"}
    ]


def test_columns_of_one_name_stay_apart(work, capsys):
    assert rows(work, "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a", capsys) == [
        {"a": 1, "a_3": 2, "a_2": 3, "a_4": 4}
    ]


def test_an_answer_without_rows_is_an_empty_list(work, capsys):
    assert rows(work, "SELECT * FROM samples", capsys) == []


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_values_of_any_type_are_written(views, form):
    sql = (
        "SELECT NULL AS n, uuid() AS u, {'a': [1]} AS s, map(['k'], [1]) AS m, interval 1 day AS i, "
        "time '10:00' AS c, now() AS z, true AS t"
    )
    answers.write_table(views.ask(sql), form)


# --- what is refused ------------------------------------------------------------------------------


REFUSED = {
    "not one": ["SELECT 1; SELECT 2", "SELECT 1; COPY records TO 'x.csv'", "", "  ", "-- nothing"],
    "files written": [
        "COPY records TO 'x.csv'",
        "COPY (SELECT 1) TO 'x.parquet'",
        "EXPORT DATABASE 'x'",
        "IMPORT DATABASE 'x'",
    ],
    "databases": ["ATTACH 'x.db'", "DETACH memory", "USE memory"],
    "extensions": ["INSTALL httpfs", "LOAD httpfs", "PRAGMA version", "PRAGMA database_list"],
    "rows": [
        "INSERT INTO samples VALUES (1)",
        "UPDATE samples SET key = 'x'",
        "DELETE FROM samples",
        "TRUNCATE samples",
    ],
    "definitions": [
        "CREATE TABLE t (a int)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE MACRO m() AS 1",
        "DROP VIEW records",
        "ALTER VIEW records RENAME TO r",
    ],
    "settings": ["SET enable_external_access = true", "SET threads = 1", "RESET threads"],
    "others": [
        *("BEGIN", "CHECKPOINT", "VACUUM", "CALL pragma_version()"),
        *("PREPARE p AS SELECT 1", "EXPLAIN ANALYZE SELECT 1"),
    ],
}


@pytest.mark.parametrize("sql", [sql for statements in REFUSED.values() for sql in statements])
def test_anything_but_one_select_is_refused(views, sql):
    with pytest.raises(QueryError) as caught:
        views.ask(sql)
    assert str(caught.value) == (
        "one SELECT over the views records, images, pairs, samples, fetches, and nothing else, "
        "for example: SELECT file, keep FROM records"
    )


@pytest.mark.parametrize(
    "source",
    [
        *("read_csv('{file}')", "read_csv('/etc/passwd')", "read_text('{file}')"),
        *("read_blob('{file}')", "read_json('{file}')", "sniff_csv('{file}')"),
        *("read_parquet('{part}')", "parquet_scan('{part}')", "parquet_metadata('{part}')", "'{part}'"),
        *('"{part}"', "'file.parquet'", "'{file}'", "glob('/*')", "glob('{folder}/*')"),
        *("query('FROM ''{part}''')", "query_table('{part}')", "read_csv('http://127.0.0.1/x.csv')"),
        *("duckdb_secrets()", "read_duckdb('{file}')", "sqlite_scan('{file}', 't')"),
        *("arrow_scan(1, 2, 3)",),
    ],
)
def test_files_cannot_be_read(views, work, source, tmp_path):
    (tmp_path / "file.csv").write_text("secret\n1\n")
    part = next(work.folder("records").glob("*.parquet"))
    with pytest.raises(QueryError):
        views.ask(f"SELECT * FROM {source.format(file=tmp_path / 'file.csv', part=part, folder=tmp_path)}")


HIDDEN = pa.table({"a": [1]})


def test_the_programs_own_variables_cannot_be_read(views):
    mine = pa.table({"a": [1]})
    for name in ("mine", "HIDDEN", "views"):
        with pytest.raises(QueryError):
            views.ask(f"SELECT * FROM {name}")
    assert mine.num_rows == HIDDEN.num_rows == 1
    with pytest.raises(QueryError):
        views.ask("SELECT getenv('HOME')")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM query('COPY records TO ''x.csv''')",
        "SELECT * FROM enable_logging(storage = 'file', storage_path = 'x')",
        "SELECT write_log('x')",
        "WITH x AS (INSERT INTO samples VALUES ('a', 'b', 'c') RETURNING *) SELECT * FROM x",
    ],
)
def test_a_select_writes_nothing(work, sql, tmp_path):
    before = _state(work.path)
    anidata("query", work.path, sql, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert _state(work.path) == before


def _state(folder: Path) -> dict[Path, tuple[int, int]]:
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


# --- what doesn't fit into memory ------------------------------------------------------------------

LARGE = (
    "SELECT count(*) AS n FROM (SELECT range AS a, random() AS r FROM range(2_000_000) ORDER BY r) "
    "WHERE r >= 0"
)


@pytest.fixture
def little_memory(monkeypatch):
    """Connections may take 40 MB; the folders that they spill into."""
    connect, folders = connections.connect, []

    def connecting(**named):
        connection = connect(**named)
        connection.database.execute("SET memory_limit = '40MB'")
        connection.database.execute("SET threads = 1")
        folders.append(named.get("spill"))
        return connection

    monkeypatch.setattr(connections, "connect", connecting)
    return folders


def test_no_folder_is_made_before_it_is_needed(views):
    views.ask("SELECT * FROM records ORDER BY file")
    assert views.ask("SELECT current_setting('temp_directory') AS f").column("f").to_pylist() == [""]


def test_what_does_not_fit_into_memory_goes_to_a_private_folder_of_the_workspace(
    work, little_memory, monkeypatch
):
    begun, select = [], Catalog.select

    def selecting(views, sql, **tables):
        answer = select(views, sql, **tables)
        if views._spill and sql == LARGE:
            begun.append(
                (stat.S_IMODE(views._spill.stat().st_mode), {p.name[:12] for p in views._spill.iterdir()})
            )
            with work.locked():  # sweeps what killed runs left
                pass
            begun.append(views._spill.exists())
        return answer

    monkeypatch.setattr(Catalog, "select", selecting)
    with Sealed(work) as views:
        assert views.ask(LARGE).column("n").to_pylist() == [2_000_000]
    [none, spill] = little_memory
    assert (none, spill.parent, ownership.is_leftover(spill.name)) == (None, work.folder("tmp"), True)
    assert begun == [(0o700, {".lock", "duckdb_temp_"}), True]
    assert list(work.folder("tmp").iterdir()) == []


IN_TMP = [
    *("read_csv('{tmp}/mine.csv')", "read_blob('{tmp}/mine.csv')", "read_text('{tmp}/*')", "glob('{tmp}/*')"),
    *("'{tmp}/mine.csv'", '"{tmp}/mine.csv"', '"{tmp}/mine".csv', "(DESCRIBE '{tmp}/mine.csv')"),
    "read_blob(current_setting('temp_directory') || '/*')",
    "read_blob(if(current_setting('temp_directory') = '', 'a', current_setting('temp_directory') || '/*'))",
    "(FROM glob(current_setting('temp_directory') || '/*'))",
    "query('FROM read_blob(''{tmp}/mine.csv'')')",
    "(SELECT * FROM range(1) t(i), read_text(current_setting('temp_directory') || '/*'))",
]


@pytest.mark.parametrize("source", IN_TMP)
@pytest.mark.parametrize("head", ["SELECT * FROM {}", f"SELECT * FROM {{}}, ({LARGE})"])
def test_nothing_in_the_workspaces_tmp_can_be_read_nor_where_a_query_spills(
    work, little_memory, source, head
):
    (work.folder("tmp") / "mine.csv").write_text("secret\n1\n")
    with Sealed(work) as views, pytest.raises(QueryError):
        views.ask(head.format(source.format(tmp=work.folder("tmp"))))
    (work.folder("tmp") / "mine.csv").unlink()


@pytest.mark.parametrize("source", IN_TMP)
def test_a_query_that_spills_and_might_read_a_file_is_refused_whatever_stood_there(work, source):
    sql = f"SELECT * FROM records, {source.format(tmp=work.folder('tmp'))}"
    with Sealed(work) as views, pytest.raises(QueryError, match="asks more than the views: "):
        views._ask_with_room(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT r.file FROM records AS r JOIN images USING (key), range(3), unnest([1, 2]) AS u(n)",
        "WITH a AS (SELECT * FROM main.records), b AS (FROM a) SELECT (SELECT count(*) FROM pairs) FROM b",
        "SELECT table_name FROM information_schema.tables",
        "DESCRIBE records",
    ],
)
def test_the_views_can_be_asked_by_a_query_that_spills(work, sql):
    with Sealed(work) as views:
        assert views._ask_with_room(sql).num_columns >= 1


@pytest.mark.parametrize(
    "sql", ["SELECT fil FROM records", "SELECT\n1 +\nFROM records", "SELECT * FROM nothing"]
)
def test_what_duckdb_says_is_one_line(work, sql):
    with Sealed(work) as views, pytest.raises(QueryError) as caught:
        views.ask(sql)
    assert "\n" not in str(caught.value)
    assert "Error: " in str(caught.value)


@pytest.mark.parametrize(
    "sql", ["ATTACH '{}/mine.csv'", "COPY records TO '{}/x.csv'", "EXPORT DATABASE '{}'"]
)
def test_no_other_statement_reaches_the_spill_folder(work, views, sql):
    with pytest.raises(QueryError, match="one SELECT"):
        views.ask(sql.format(work.folder("tmp")))


def test_where_tables_are_large_a_command_spills_into_a_folder_of_its_own(work, monkeypatch):
    monkeypatch.setattr("anidata.catalog.gathered.HELD", 0)
    with Catalog(work) as views, Catalog(work) as other:
        folders = [
            v.select("SELECT current_setting('temp_directory') AS f").column("f")[0].as_py()
            for v in (views, other)
        ]
        assert len({*folders}) == 2
        for folder in folders:
            assert Path(folder).parent == work.folder("tmp")
            assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    assert list(work.folder("tmp").iterdir()) == []


def test_where_no_folder_can_be_made_memory_has_to_do(work, monkeypatch):
    def refuse(*_):
        raise StorageError("read-only")

    monkeypatch.setattr("anidata.catalog.gathered.HELD", 0)
    monkeypatch.setattr(ownership, "scratch", refuse)
    with Catalog(work) as views:
        assert views.select("SELECT current_setting('temp_directory') AS f").column("f").to_pylist() == [""]


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELEC file FROM records", "syntax error"),
        ("SELECT fil FROM records", '"file"'),
        ("SELECT file FROM recrods", "records"),
        ("SELECT ?", "parameter"),
    ],
)
def test_a_mistake_in_the_sql_is_one_error_without_a_traceback(work, sql, hint):
    done = anidata("query", work.path, sql)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("QueryError: ")
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_workspace_is_told(tmp_path):
    done = anidata("query", tmp_path, "SELECT 1")
    assert done.returncode == 3
    assert (
        done.stderr
        == f"WorkspaceError: {tmp_path} is no workspace. Start one with: anidata ingest {tmp_path} SOURCE\n"
    )
