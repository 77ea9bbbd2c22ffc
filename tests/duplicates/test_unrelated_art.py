"""What benchmarks/unrelated_art.py says of links by verdicts, and the sheets that it writes to look at."""

import numpy as np
from PIL import Image

import pair_sheets
import unrelated_art


def linked(a, b, relation="variant"):
    """A link as the benchmark counts it."""
    return {"a": a, "b": b, "relation": relation, "file_a": f"x/{a}.png", "file_b": f"x/{b}.png"}


def test_precision_counts_other_drawings_among_the_judged_alone(capsys):
    verdicts = {("a", "b"): "copy", ("a", "c"): "drawing", ("d", "e"): "other", ("f", "g"): "gray"}
    judged = {frozenset(pair): verdict for pair, verdict in verdicts.items()}
    unrelated_art.say_precision("links", [linked(b, a) for a, b in verdicts] + [linked("y", "z")], judged)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "links: 1 wrong and 1 gray of 4 judged, precision 0.7500"
    assert second == "links: 1 of 5 not judged"


def test_without_a_verdict_no_precision_is_said(capsys):
    unrelated_art.say_precision("links", [linked("y", "z")], {})
    assert capsys.readouterr().out == "links: 1 of 1 not judged\n"


def test_the_pile_has_a_folder_a_package_with_its_pictures_that_are_large_enough(tmp_path):
    for name, side in {"cat/cat/large.png": 130, "cat/cat/small.png": 90, "dog/large.png": 128}.items():
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (side, side + 9)).save(path)
    (tmp_path / "from/dog/notes.txt").write_text("no picture")
    pile = unrelated_art._pile(tmp_path / "pile", [tmp_path / "from/cat", tmp_path / "from/dog"], 128)
    names = sorted(path.relative_to(pile).as_posix() for path in pile.rglob("*.*"))
    assert names == ["cat/cat/large.png", "dog/large.png"]


def test_every_verdict_that_is_kept_is_of_two_pictures_by_a_known_word():
    verdicts = unrelated_art.verdicts_of(unrelated_art.VERDICTS)
    assert len(verdicts) >= 500
    assert set(verdicts.values()) <= {"copy", "drawing", "other", "gray"}
    assert {len(pair) for pair in verdicts} == {2}


def test_near_misses_are_as_far_apart_as_their_pixels_either_way_round(tmp_path):
    page = np.zeros((64, 64), np.uint8)
    page[:, :20] = 200
    for name, pixels in {"one": page, "turned": page[:, ::-1], "other": 255 - page}.items():
        Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / f"{name}.png")
    one, turned, other = (
        unrelated_art._small(tmp_path / f"{name}.png") for name in ("one", "turned", "other")
    )
    assert unrelated_art._apart(one, turned) == 0
    assert unrelated_art._apart(one, other) > 50


def test_a_sheet_of_groups_has_a_row_for_each_and_begins_anew_when_full(tmp_path):
    (tmp_path / "pictures").mkdir()
    for n in range(3):
        Image.new("RGB", (50, 50), (250, 90 * n, 0)).save(tmp_path / f"pictures/{n}.png")
    groups = [["0.png", "1.png", "2.png"], ["2.png", "0.png"]] * 4
    pair_sheets.write_groups(tmp_path, "clusters", groups, 2)
    first, second = sorted(tmp_path.glob("clusters-*.png"))
    with Image.open(first) as full, Image.open(second) as last:
        side = pair_sheets.SIDE
        assert full.width == last.width == 2 * (side + 2)
        assert full.height == 7 * last.height
        assert full.getpixel((side // 2, side // 2)) == (250, 0, 0)
        assert full.getpixel((side + 2 + side // 2, side // 2)) == (250, 90, 0)


def test_near_misses_come_by_their_codes_first_and_then_by_their_pixels(tmp_path):
    for name, level in {"a": 10, "b": 60, "c": 250}.items():
        Image.new("L", (40, 40), level).save(tmp_path / f"{name}.png")
    pairs = [("a", "c", 2), ("a", "b", 4), ("a", "b", 2)]
    rows = [{"file_a": f"{a}.png", "file_b": f"{b}.png", "distance": bits} for a, b, bits in pairs]
    assert unrelated_art._nearest(rows, tmp_path) == [rows[2], rows[0], rows[1]]
