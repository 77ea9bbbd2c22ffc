"""A journal holds what was whole when it was cut or damaged, and becomes a tar as it is."""

import io
import os
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.stages.ingest.journal import Journal

ENTRIES = st.lists(
    st.tuples(st.text("abc", min_size=1, max_size=2), st.binary(max_size=300) | st.none()), max_size=6
)


@settings(deadline=None)
@given(ENTRIES, st.data())
def test_a_journal_cut_anywhere_holds_all_entries_that_were_whole_and_takes_new_ones(
    tmp_path_factory, entries, data
):
    path = tmp_path_factory.mktemp("journal") / "j"
    ends = [0]
    with Journal(path, path.with_suffix(".tar")) as journal:
        for name, body in entries:
            journal.add({"record": name}, None if body is None else io.BytesIO(body), len(body or b""))
            ends.append(path.stat().st_size)
    cut = data.draw(st.integers(0, ends[-1]))
    os.truncate(path, cut)
    whole = dict(entry for entry, end in zip(entries, ends[1:], strict=True) if end <= cut)
    with Journal(path, path.with_suffix(".tar")) as journal:
        assert bodies(path, journal) == {n: b or b"" for n, b in whole.items()}
        journal.add({"record": "new"}, io.BytesIO(b"x"), 1)
    with Journal(path, path.with_suffix(".tar")) as journal:
        assert bodies(path, journal) == {n: b or b"" for n, b in whole.items()} | {"new": b"x"}


def bodies(path, journal):
    data = path.read_bytes()
    return {name: data[entry.offset : entry.offset + entry.size] for name, entry in journal.entries.items()}


@settings(deadline=None)
@given(ENTRIES)
def test_a_finished_journal_is_a_tar_of_what_came_and_a_journal_again_where_nothing_calls_it_published(
    tmp_path_factory, entries
):
    path = tmp_path_factory.mktemp("journal") / "j"
    tar = path.with_suffix(".tar")
    with Journal(path, tar) as journal:
        for name, body in entries:
            journal.add({"record": name}, None if body is None else io.BytesIO(body), len(body or b""))
        journal.finish()
        finished = journal.entries
    assert not path.exists()
    assert tar.exists() == any(entry.size for entry in finished.values())
    if tar.exists():
        with tarfile.open(tar) as file:
            offsets = {m.name: m.offset_data for m in file if m.name.endswith(".at")}
        wanted = {f"{name}.at": entry.offset for name, entry in finished.items() if entry.size}
        assert offsets.items() >= wanted.items()
        with Journal(path, tar) as journal:
            assert journal.entries == finished
        assert not tar.exists()


@settings(deadline=None)
@given(st.data())
def test_a_journal_with_a_damaged_byte_is_cut_there(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "j"
    with Journal(path, path.with_suffix(".tar")) as journal:
        for n in range(3):
            journal.add({"record": str(n)}, io.BytesIO(bytes([n]) * 100), 100)
    damaged = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] ^= 0xFF
    path.write_bytes(damaged)
    with Journal(path, path.with_suffix(".tar")) as journal:
        assert list(journal.entries) == [str(n) for n in range(position * 3 // len(damaged))]
