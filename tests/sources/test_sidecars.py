"""What stands beside a picture is taken over, and whatever it is, it harms nothing."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata.sources import Options, Record, folder
from anidata.sources.listing import sidecars
from anidata.sources.listing.metadata import from_metadata
from anidata.sources.listing.sidecars import (
    BadSidecar,
    Notes,
    from_fields,
    from_json,
    from_text,
)


def listed(base: Path, files: dict[str, str | bytes]) -> dict[str, Record]:
    for name, content in files.items():
        path = base / "pile" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {
        record.name: record
        for record in folder.records(f"folder:{base / 'pile'}", Options(base=base / "work"))
    }


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("1girl, solo, long hair", ("1girl", "solo", "long hair")),
        ("1girl\nsolo\r\nlong hair\n", ("1girl", "solo", "long hair")),
        ("1girl solo long_hair", ("1girl", "solo", "long_hair")),
        ("long hair", ("long hair",)),
        ("b, a, b,, a ", ("b", "a")),
        ("\ufeffa, b\0c", ("a", "bc")),
        (
            "the legend of zelda: breath of the wild, link",
            ("the legend of zelda: breath of the wild", "link"),
        ),
        (":d, >_<, ^_^, dr. stone", (":d", ">_<", "^_^", "dr. stone")),
        ("", ()),
    ],
)
def test_a_text_of_tags_is_split_as_it_was_written(text, tags):
    assert from_text(text.encode()) == Notes(tags=tags)


@pytest.mark.parametrize(
    "text",
    [
        "A girl.",
        "A girl, with a hat, looks up.",
        "a woman in a red dress",
        "one two three four five six seven eight nine, ten",
        "少女が 立っている。",
    ],
)
def test_prose_is_a_caption(text):
    assert from_text(text.encode()) == Notes(caption=text)


def test_text_that_is_no_utf_8_is_read_with_replacement():
    assert from_text(b"caf\xe9, b") == Notes(tags=("caf\ufffd", "b"))


def test_a_booru_post_as_gallery_dl_writes_it():
    post = {
        "rating": "q", "source": "https://example.org/art/1", "file_url": "https://cdn.example.org/1.png",
        "tag_string": "1girl solo ann_lee", "tag_string_artist": "ann_lee bob", "uploader": {"name": "carl"},
    }  # fmt: skip
    assert from_json(json.dumps(post).encode()) == Notes(
        artist="ann_lee, bob",
        rating="q",
        tags=("1girl", "solo", "ann_lee"),
        url="https://cdn.example.org/1.png",
    )


def test_tags_by_kind_are_put_together():
    post = {"tags_general": ["1girl", "solo"], "tags_character": "reimu marisa", "tags_artist": ["ann lee"]}
    assert from_json(json.dumps(post).encode()) == Notes(
        artist="ann lee", tags=("ann lee", "reimu", "marisa", "1girl", "solo")
    )
    assert from_json(b'{"tags": {"general": ["a", "b c"], "species": ["d"]}}').tags == ("a", "b c", "d")


def test_a_pixiv_work_as_gallery_dl_writes_it():
    work = {
        "tags": [{"name": "風景", "translated_name": "scenery"}, "空"], "user": {"name": "絵師", "id": 7},
        "url": "https://example.org/p0.png", "caption": "hello", "rating": "General",
    }  # fmt: skip
    assert from_json(json.dumps(work).encode()) == Notes(
        artist="絵師", rating="g", tags=("風景", "空"), url="https://example.org/p0.png", caption="hello"
    )


@pytest.mark.parametrize(
    ("rating", "taken"),
    [
        ("general", "g"),
        ("G", "g"),
        ("Sensitive", "s"),
        ("safe", "s"),
        ("questionable", "q"),
        ("EXPLICIT", "e"),
        ("R-18", "r-18"),
        (18, "18"),
        (None, None),
    ],
)
def test_ratings_have_one_letter_where_they_are_known(rating, taken):
    assert from_fields({"rating": rating}).rating == taken


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1, 2]",
        b'"text"',
        b"{",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"1" * 10_000,
        b"nan",
        b"null",
    ],
)
def test_json_that_is_no_object_is_a_bad_sidecar(data):
    with pytest.raises(BadSidecar):
        from_json(data)


def test_a_bad_sidecar_is_ignored_and_said(tmp_path):
    records = listed(
        tmp_path, {"a.png": b"", "a.json": "{", "a.txt": "red, blue", "b.png": b"", "b.json": "[" * 100_000}
    )
    assert {name: record.error for name, record in records.items()} == {"a.png": None, "b.png": None}
    assert records["a.png"].tags == ("red", "blue")
    assert records["a.png"].message == "a.json is ignored: no JSON"
    assert "b.json is ignored" in records["b.png"].message


def test_a_sidecar_above_the_limit_is_ignored_and_said(tmp_path):
    records = listed(tmp_path, {"a.png": b"", "a.txt": b"x" * (sidecars.SIDECAR_LIMIT + 1)})
    assert records["a.png"].tags == ()
    assert "a.txt is ignored: 4,194,305 bytes" in records["a.png"].message


def test_lone_surrogates_and_nuls_never_get_out():
    notes = from_json(
        b'{"artist": "a\\ud800b\\u0000", "tags": ["\\udfff", "\\ud83d\\ude00"], "license": "\\u0000"}'
    )
    assert notes == Notes(artist="a\ufffdb", tags=("\ufffd", "😀"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "x", "tag"]), inner, max_size=2)
    ),
    max_leaves=6,
)
FIELDS = [
    "license",
    "artist",
    "tags",
    "tag_string",
    "tags_general",
    "tags_artist",
    "rating",
    "url",
    "source",
    "user",
    "caption",
    "text",
]


@given(st.dictionaries(st.sampled_from(FIELDS), values))
def test_whatever_the_fields_hold_the_notes_are_clean_text(fields):
    notes = from_fields(fields)
    for text in (notes.license, notes.artist, notes.rating, notes.url, notes.caption, *notes.tags):
        assert text is None or (
            isinstance(text, str)
            and text.encode().decode() == text == text.strip() != ""
            and "\0" not in text
        )
    assert len(set(notes.tags)) == len(notes.tags)


@given(st.binary(max_size=200))
def test_no_bytes_make_a_reader_fail(data):
    from_text(data)
    for read in (
        from_json,
        lambda data: from_metadata("metadata.csv", data),
        lambda data: from_metadata("metadata.jsonl", data),
    ):
        try:
            read(data)
        except BadSidecar:
            continue


@given(
    st.lists(
        st.text(
            st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters=",_"),
            min_size=1,
            max_size=6,
        ),
        min_size=2,
        unique=True,
    )
)
def test_tags_survive_the_way_through_a_file_in_order(tags):
    assert from_text(", ".join([*tags, "end_mark"]).encode()).tags == (*dict.fromkeys([*tags, "end_mark"]),)


class TestWhoIsMeant:
    def test_a_sidecar_may_name_the_stem_or_the_whole_file(self, tmp_path):
        records = listed(
            tmp_path,
            {
                "a.b.png": b"",
                "a.b.txt": "red, blue",
                "c.png": b"",
                "c.png.json": '{"artist": "Ann"}',
                "d.PNG": b"",
                "d.TXT": "x, y",
            },
        )
        assert set(records) == {"a.b.png", "c.png", "d.PNG"}
        assert [records[name].tags for name in records] == [("red", "blue"), (), ("x", "y")]
        assert records["c.png"].artist == "Ann"

    def test_the_nearer_word_counts_field_by_field(self, tmp_path):
        files = {
            "a.png": b"",
            "a.png.json": '{"artist": "json"}',
            "a.json": '{"artist": "x", "rating": "s"}',
            "a.txt": "one, two",
            "metadata.csv": "file_name,artist,license,tags\na.png,csv,CC0,three\n",
        }
        records = listed(tmp_path, files)
        assert (records["a.png"].artist, records["a.png"].rating, records["a.png"].license) == (
            "json",
            "s",
            "CC0",
        )
        assert records["a.png"].tags == ("one", "two")

    def test_texts_that_belong_to_no_picture_are_records(self, tmp_path):
        records = listed(
            tmp_path,
            {
                "a.png": b"",
                "readme.txt": "hello",
                "info.json": "{}",
                "sub/a.txt": "not beside it",
                "readme.json": "{}",
            },
        )
        assert set(records) == {"a.png", "readme.txt", "info.json", "sub/a.txt", "readme.json"}

    def test_two_pictures_of_one_stem_share_its_sidecar(self, tmp_path):
        records = listed(tmp_path, {"a.png": b"", "a.jpg": b"", "a.txt": "red, blue"})
        assert {record.tags for record in records.values()} == {("red", "blue")}
        assert len(records) == 2

    def test_the_sidecar_of_a_true_line_is_no_record(self, tmp_path):
        assert set(listed(tmp_path, {"a_color.png": b"", "a_line.png": b"", "a_line.json": "{}"})) == {
            "a_color.png"
        }


class TestMetadata:
    def test_the_nearest_file_that_names_a_picture_counts(self, tmp_path):
        far = ["sub/a.png", "sub/b.png", "c.png", "./sub/deep/d.png"]
        near = ['{"file_name": "a.png", "license": "near"}', '{"file_name": "deep/e.png", "license": "near"}']
        pictures = ["sub/a.png", "sub/b.png", "c.png", "sub/deep/d.png", "sub/deep/e.png"]
        metadata = {
            "metadata.csv": "file_name,license\n" + "".join(f"{name},far\n" for name in far),
            "sub/metadata.jsonl": f"{near[0]}\nbroken\n{near[1]}\n",
        }
        records = listed(tmp_path, metadata | dict.fromkeys(pictures, b""))
        assert {name: record.license for name, record in records.items()} == {
            "c.png": "far",
            "sub/a.png": "near",
            "sub/b.png": "far",
            "sub/deep/d.png": "far",
            "sub/deep/e.png": "near",
        }

    def test_all_columns_are_taken_over(self, tmp_path):
        text = io.StringIO()
        csv.writer(text).writerows(
            [
                ["File_Name", "License", "creator", "rating", "tags", "url", "text"],
                ["a.png", "CC0", "Ann", "safe", "x, y z", "u", "A, b"],
            ]
        )
        record = listed(tmp_path, {"metadata.csv": "\ufeff" + text.getvalue(), "a.png": b""})["a.png"]
        assert (record.license, record.artist, record.rating, record.tags) == (
            "CC0",
            "Ann",
            "s",
            ("x", "y z"),
        )
        assert (record.url, record.caption) == ("u", "A, b")

    def test_a_file_that_names_nothing_stays_visible_as_a_record(self, tmp_path):
        assert set(
            listed(
                tmp_path, {"a.png": b"", "metadata.csv": "name,license\na.png,CC0\n", "metadata.jsonl": "{}"}
            )
        ) == {
            "a.png",
            "metadata.csv",
            "metadata.jsonl",
        }

    @pytest.mark.parametrize(
        "tail", ['b.png,"' + "x" * 200_000 + '"\n', "b.png,x,too,many,cells\n", "b.png\n", '"', "\x00\n"]
    )
    def test_a_damaged_csv_gives_what_stands_before_the_damage(self, tail):
        assert from_metadata("metadata.csv", b"file_name,license\na.png,CC0\n" + tail.encode())[
            "a.png"
        ] == Notes(license="CC0")

    def test_windows_separators_in_names_are_understood(self):
        assert from_metadata("metadata.csv", b"file_name,license\nsub\\a.png,CC0\n") == {
            "sub/a.png": Notes(license="CC0")
        }
