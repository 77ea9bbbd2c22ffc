"""`anidata colorize` with hints, and of white lines: whose hints a file is, what is refused, what is said."""

import json

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.errors import RecipeError, SourceError
from drawings import drawing, save
from training_lab import run as trained

TRAINING = ("train.images=8", "train.validate_every=0")
RED, BLUE = (230, 20, 20), (20, 20, 230)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    """A run of the tiny model that was trained with hints."""
    folder = tmp_path_factory.mktemp("hinted") / "run"
    trained(dataset, folder, (*TRAINING, 'train.conditions=["lineart","hints"]'))
    return folder


def command(*words):
    """The exit code, the JSON and stderr of a command."""
    done = CliRunner().invoke(anidata.cli.entry.app, [*map(str, words), "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout), done.stderr


def colorize(run, *words):
    return command("colorize", run, *words, "--device", "cpu")


def lines(width=40, height=40):
    page = np.full((height, width, 3), 255, np.uint8)
    page[10:12] = page[:, 20:22] = 0
    return page


def layer(color, width=40, height=40):
    made = np.zeros((height, width, 4), np.uint8)
    made[height // 4, width // 4] = (*color, 255)
    return made


def pixels(path):
    return np.asarray(PIL.Image.open(path))


def names(report):
    return sorted(path.rsplit("/", 1)[1] for path in report["written"])


def test_hints_change_the_picture_and_other_hints_color_it_anew(run, tmp_path):
    sketch = save(tmp_path / "sketch.png", lines())
    words = (run, sketch, "-o", tmp_path / "out")
    outputs = []
    for color in (None, RED, BLUE):
        more = ("--hints", save(tmp_path / "hints.png", layer(color))) if color else ()
        assert names(colorize(*words, *more)[1]) == ["sketch.png"]
        outputs.append(pixels(tmp_path / "out/sketch.png"))
        assert colorize(*words, *more)[1]["skipped"] == [str(tmp_path / "out/sketch.png")]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.array_equal(outputs[one], outputs[other])


def test_a_folder_has_the_hints_of_each_picture_by_its_name(run, tmp_path):
    """`a.png`, `sub/a.jpg`, and two of one stem, of which one has its own; `plain` has none."""
    for name in ("a.png", "sub/a.jpg", "two.png", "two.jpg", "plain.png"):
        save(tmp_path / "in" / name, lines())
    for name, color in {"a.png": RED, "sub/a.png": BLUE, "two.png": RED, "two.jpg.png": BLUE}.items():
        save(tmp_path / "hints" / name, layer(color))
    code, report, _ = colorize(run, tmp_path / "in", "-o", tmp_path / "out", "--hints", tmp_path / "hints")
    assert code == 0
    assert names(report) == ["a.png", "a.png", "plain.png", "two.jpg.png", "two.png.png"]
    out = {p.relative_to(tmp_path / "out").as_posix(): pixels(p) for p in (tmp_path / "out").rglob("*.png")}
    assert np.array_equal(out["a.png"], out["two.png.png"])
    assert not np.array_equal(out["a.png"], out["plain.png"])
    assert np.abs(out["sub/a.png"].astype(int) - out["two.jpg.png"]).max() <= 1
    save(tmp_path / "hints/a.png", layer(BLUE))
    report = colorize(run, tmp_path / "in", "-o", tmp_path / "out", "--hints", tmp_path / "hints")[1]
    assert report["written"] == [str(tmp_path / "out/a.png")]
    assert len(report["skipped"]) == 4


def test_files_of_hints_are_neither_colored_nor_written_over(run, tmp_path):
    """Beside their pictures, in the folder that is written to, and twice."""
    save(tmp_path / "a.jpg", lines())
    given = save(tmp_path / "a.png", layer(RED))
    before = given.read_bytes()
    for hints in (given, tmp_path):
        words = (run, tmp_path, "-o", tmp_path, "--hints", hints, "--overwrite")
        code, report, _ = colorize(*words)
        assert code == 0
        assert [*report["written"], *report["skipped"]] == [str(tmp_path / "a.jpg.png")]
        assert given.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jpg", "a.jpg.png", "a.png"]


@pytest.mark.parametrize(
    ("name", "content", "refused"),
    [
        ("h.png", lines(), r"h\.png: it has no transparency, .*save that layer as PNG"),
        ("h.jpg", lines(), r"h\.jpg: it has no transparency"),
        ("h.gif", lines(), r"h\.gif: it has no transparency"),
        (
            "h.png",
            np.dstack([lines(), lines()[..., :1] * 0 + 255]),
            r"it is opaque all over\. Leave out the pict",
        ),
        ("h.png", layer(RED) * 0, "nothing in it is half opaque or more"),
        ("h.png", None, r"--hints .*h\.png: it can't be read: not_an_image: .*Name an RGBA PNG"),
    ],
)
def test_a_file_of_no_hints_is_a_typed_error_with_the_remedy(name, content, refused, run, tmp_path):
    sketch = save(tmp_path / "sketch.png", lines())
    (tmp_path / name).write_bytes(b"no picture")
    if content is not None:
        save(tmp_path / name, content)
    with pytest.raises(SourceError, match=refused):
        colorize(run, sketch, "-o", tmp_path / "out", "--hints", tmp_path / name)
    assert not (tmp_path / "out").exists()


def test_a_gif_with_transparency_has_hints(run, tmp_path):
    sketch = save(tmp_path / "sketch.png", lines())
    PIL.Image.fromarray(layer(RED)).save(tmp_path / "h.gif")
    assert colorize(run, sketch, "-o", tmp_path / "out", "--hints", tmp_path / "h.gif")[0] == 0


def test_hints_of_another_shape_cost_their_picture_and_no_other(run, tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name, lines())
    save(tmp_path / "hints/a.png", layer(RED, 60, 40))
    save(tmp_path / "hints/b.png", layer(RED, 80, 80))
    code, report, errors = colorize(
        run, tmp_path / "in", "-o", tmp_path / "out", "--hints", tmp_path / "hints"
    )
    assert code == 1
    assert names(report) == ["b.png"]
    [why] = report["failed"].values()
    assert why.startswith("hints: ")
    assert "it is 60 x 40 px, and the picture 40 x 40, of another shape. Save it at 40 x 40 px" in why
    assert why in errors


def test_a_file_for_several_pictures_no_file_and_a_folder_for_none_are_typed_errors(run, tmp_path):
    for name in ("in/a.png", "in/b.png"):
        save(tmp_path / name, lines())
    given = save(tmp_path / "hints/other.png", layer(RED))
    words = (run, tmp_path / "in", "-o", tmp_path / "out", "--hints")
    with pytest.raises(
        SourceError, match=r"is of one picture, and here are 2\..*a\.png, and name the folder"
    ):
        colorize(*words, given)
    with pytest.raises(SourceError, match=r"there is no such file or folder\. Name an RGBA PNG, or a folder"):
        colorize(*words, tmp_path / "nowhere.png")
    with pytest.raises(SourceError, match=r"it has hints for none of the pictures.*hints/a\.png for a\.png"):
        colorize(*words, tmp_path / "hints")
    assert not (tmp_path / "out").exists()


def test_a_model_without_hints_refuses_them(dataset, tmp_path):
    trained(dataset, tmp_path / "run", ("train.images=4", "train.validate_every=0"))
    sketch = save(tmp_path / "sketch.png", lines())
    given = save(tmp_path / "hints.png", layer(RED))
    with pytest.raises(
        RecipeError, match="--hints: this model was trained with lineart, and would ignore it"
    ):
        colorize(tmp_path / "run", sketch, "-o", tmp_path / "out", "--hints", given)
    assert not (tmp_path / "out").exists()


# --- white lines -----------------------------------------------------------------------------------

SEEN = "seen as white lines, and inverted: 2 picture(s), such as "


def white_lines(folder):
    """One on black, one on transparency, and the same lines in black."""
    save(folder / "black.png", 255 - lines())
    save(folder / "clear.png", np.dstack([lines() * 0 + 255, 255 - lines()[..., :1]]))
    save(folder / "plain.png", lines())
    return folder


def test_white_lines_are_colored_as_black_ones_and_it_is_said_once(run, tmp_path):
    white_lines(tmp_path / "in")
    code, _, errors = colorize(run, tmp_path / "in", "-o", tmp_path / "out")
    assert code == 0
    assert errors.count(SEEN) == 1
    assert f"{SEEN}{tmp_path}/in/black.png; --no-invert takes pictures as they are" in errors
    plain = pixels(tmp_path / "out/plain.png")
    for name in ("black", "clear"):
        assert np.array_equal(pixels(tmp_path / f"out/{name}.png"), plain)
    code, report, errors = colorize(run, tmp_path / "in", "-o", tmp_path / "out")
    assert len(report["skipped"]) == 3
    assert SEEN not in errors


def test_white_lines_are_drawn_as_black_ones(tmp_path):
    white_lines(tmp_path / "in")
    code, _, errors = command("draw", tmp_path / "in", "-o", tmp_path / "out")
    assert code == 0
    assert errors.count(SEEN) == 1
    plain = pixels(tmp_path / "out/plain.png")
    assert (plain == 0).any()
    for name in ("black", "clear"):
        assert np.array_equal(pixels(tmp_path / f"out/{name}.png"), plain)


def test_it_can_be_told_and_then_is_done_anew(tmp_path):
    white_lines(tmp_path / "in")
    words = ("draw", tmp_path / "in/black.png", "-o", tmp_path / "out")
    outputs = []
    for how in ((), ("--no-invert",), ("--invert",)):
        _, report, errors = command(*words, *how)
        assert report["written"] == [str(tmp_path / "out/black.png")]
        assert ("inverted" in errors) is (not how)
        outputs.append(pixels(tmp_path / "out/black.png"))
    assert np.array_equal(outputs[0], outputs[2])
    assert not np.array_equal(outputs[0], outputs[1])


def test_what_cannot_be_told_is_refused_and_the_others_are_colored(run, tmp_path):
    areas = lines(100, 100)
    areas[60:95, 30:70] = areas[30:32, 5:60] = 0
    save(tmp_path / "in/areas.png", 255 - areas)
    save(tmp_path / "in/color.png", drawing(3, 40, 40))
    words = (run, tmp_path / "in", "-o", tmp_path / "out")
    code, report, _ = colorize(*words)
    assert code == 1
    assert names(report) == ["color.png"]
    assert "unclear: it is white on black" in report["failed"][str(tmp_path / "in/areas.png")]
    assert colorize(*words, "--invert")[0] == 0
    assert colorize(run, tmp_path / "in/areas.png", "-o", tmp_path / "as it is", "--no-invert")[0] == 0


def test_what_draw_made_is_black_on_white_however_black(run, tmp_path):
    save(tmp_path / "in/x.png", drawing(3, 40, 40))
    assert command("draw", tmp_path / "in", "-o", tmp_path / "lines")[0] == 0
    assert (pixels(tmp_path / "lines/x.png") == 0).mean() > 0.5
    code, report, errors = colorize(run, tmp_path / "lines", "-o", tmp_path / "colored")
    assert (code, names(report)) == (0, ["x.png"])
    assert "inverted" not in errors
