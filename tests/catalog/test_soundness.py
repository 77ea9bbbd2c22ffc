"""Tables that are sound Parquet and say what anidata never writes: told of, or made again; no traceback."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anidata.catalog import soundness, tables
from anidata.errors import AnidataError, DamagedError
from anidata.workspace import open_workspace
from drawings import drawing, save


@pytest.fixture
def work(command, inline, tmp_path):
    command("run", "quickstart", tmp_path / "work", "sample:")
    return tmp_path / "work"


def test_what_a_run_writes_is_sound(work):
    soundness.check(open_workspace(work))


def test_pictures_that_fail_are_sound_too(command, inline, tmp_path):
    whole = save(tmp_path / "pile/whole.png", drawing(1))
    (tmp_path / "pile/empty.png").touch()
    (tmp_path / "pile/cut.png").write_bytes(whole.read_bytes()[:200])
    (tmp_path / "pile/text.png").write_text("no picture")
    (tmp_path / "pile/broken.zip").write_bytes(b"PK\3\4 and no more")
    command("run", "quickstart", tmp_path / "work", tmp_path / "pile")
    workspace = open_workspace(tmp_path / "work")
    errors = [pq.read_table(path)["error"].null_count for path in tables.files(workspace.folder("images"))]
    assert errors == [1]  # the others failed
    soundness.check(workspace)


def test_a_column_that_an_earlier_version_had_not_is_no_damage(work):
    (path,) = tables.files(work / "images")[:1]
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["sharpness", "content"]), path)
    soundness.check(open_workspace(work))


def spoil(work, folder, column, change):
    """Change the first cell of a column, in the first file of a table."""
    path = tables.files(work / folder)[0] if (work / folder).is_dir() else work / folder
    table = pq.read_table(path)
    at, field = table.column_names.index(column), table.schema.field(column)
    values = table[column].to_pylist()
    row = values.index(next(value for value in values if value is not None))
    values[row] = change
    spoilt = table.set_column(at, field, pa.array(values, field.type))
    assert not spoilt.equals(table)
    pq.write_table(spoilt.replace_schema_metadata(table.schema.metadata), path)
    return path


SPOILT = {
    "a key": ("images", "key", None),
    "a width": ("images", "width", None),
    "a measure": ("images", "sharpness", None),
    "a code": ("images", "phash", None),
    "no number": ("images", "noise", float("nan")),
    "a height below nothing": ("images", "height", -3),
    "a record": ("records", "record", None),
    "a mark of a line": ("pairs", "ink", None),
    "a tar": ("pairs", "tar", None),
    "an offset": ("pairs", "offset", -1),
    "a split": ("decisions/splits.parquet", "split", None),
    "a cluster's key": ("decisions/dedup.parquet", "key", None),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_cell_that_anidata_never_writes_is_damage(work, what):
    path = spoil(work, *SPOILT[what])
    with pytest.raises(DamagedError, match=path.name):
        soundness.check(open_workspace(work))


@pytest.mark.parametrize("what", ["a mark of a line", "a tar", "a measure", "a code", "a width"])
def test_a_run_over_it_makes_it_again_or_ends_in_a_typed_error(work, command, inline, what):
    manifest = (work / "dataset/manifest.json").read_bytes()
    path = spoil(work, *SPOILT[what])
    for tar in (work / "dataset/data").iterdir():
        tar.unlink()
    told = error_of(command, work)
    if told:
        assert path.name in told
    else:
        assert (work / "dataset/manifest.json").read_bytes() == manifest


def error_of(command, work):
    """The typed error of a run, empty where it goes well."""
    try:
        command("run", "quickstart", work)
    except AnidataError as error:
        return str(error)
    return ""
