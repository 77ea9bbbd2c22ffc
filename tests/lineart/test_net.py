"""The package's own network: its card, its runtimes, tiles, threads, and what is refused."""

import hashlib
import json
import threading
from importlib.resources import files

import cv2
import numpy as np
import pytest

from absent import without_onnxruntime
from anidata.errors import MissingExtra, RecipeError, WeightsError
from anidata.lineart import selection
from anidata.lineart.styles import _line_net, _network, anime, net
from drawings import drawing

CARD = json.loads(_line_net.WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.fixture
def anew():
    """What a process has opened is forgotten, before and after."""
    _line_net._opened.cache_clear()
    yield
    _line_net._opened.cache_clear()


def soft(height, width, seed=0):
    """A drawing, softened, as large as wanted."""
    rgb = cv2.GaussianBlur(drawing(seed, 400, 400), (0, 0), 2)
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC)


# --- the file and its card -------------------------------------------------------------------------


def test_the_card_is_of_the_weights_that_are_run():
    data = _line_net.WEIGHTS.read_bytes()
    assert hashlib.sha256(data).hexdigest() == CARD["sha256"] == _line_net.SHA256
    assert (CARD["bytes"], CARD["version"]) == (len(data), _line_net.VERSION)
    assert len(data) <= 1_000_000


def test_the_card_names_licenses_artists_training_and_figures_of_all_that_was_learned_from():
    assert CARD["license"] == "MIT"
    assert "copyleft" in CARD["terms"]
    assert {"seed", "steps", "widths", "parameters"} <= CARD["training"].keys()
    assert CARD["figures"]
    assert sum(source["pictures"] for source in CARD["data"]) > 4000
    for source in CARD["data"]:
        assert source["license"], source
        assert source["home"], source
        assert source["artists"], source


def test_the_weights_lie_in_the_package():
    assert files("anidata.lineart").joinpath("weights/net.onnx").is_file()


@pytest.mark.parametrize("style", [net, anime])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: None, "can't be read"),
        (lambda path: path.write_bytes(b""), "has SHA-256"),
        (lambda path: path.write_bytes(_line_net.WEIGHTS.read_bytes()[:-1]), "has SHA-256"),
        (lambda path: path.write_bytes(b"x" * 2_000_000), "can't be read"),
        (lambda path: path.mkdir(), "can't be read"),
    ],
    ids=["missing", "empty", "cut short", "huge", "a folder"],
)
def test_weights_that_are_not_this_versions_are_refused_and_it_is_said_what_to_type(
    style, damage, said, tmp_path, monkeypatch, anew
):
    damage(tmp_path / "net.onnx")
    monkeypatch.setattr(_line_net, "WEIGHTS", tmp_path / "net.onnx")
    with pytest.raises(WeightsError, match=f"{said}.*pip install --force-reinstall"):
        style.ready(style.Config())
    with pytest.raises(WeightsError, match=said):
        style.draw(soft(40, 40), style.Config())


@pytest.mark.parametrize("byte", [0, 5_000, 370_000])
def test_one_changed_byte_is_noticed(byte, tmp_path, monkeypatch, anew):
    data = bytearray(_line_net.WEIGHTS.read_bytes())
    data[byte] ^= 1
    (tmp_path / "net.onnx").write_bytes(data)
    monkeypatch.setattr(_line_net, "WEIGHTS", tmp_path / "net.onnx")
    with pytest.raises(WeightsError, match="has SHA-256"):
        net.ready(net.Config())


# --- runtimes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (1, 700), (16, 16), (17, 31), (37, 91), (240, 240)])
def test_both_runtimes_draw_the_same_to_one_level(shape):
    pytest.importorskip("onnxruntime", reason="onnxruntime, of the extra 'onnx', is not installed")
    rgb = soft(*shape)
    ours, theirs = (_line_net.opacity(rgb, name).astype(int) for name in ("cv2", "onnxruntime"))
    assert ours.shape == shape
    assert np.abs(np.where(ours < _line_net.HAZE + 1, 0, ours - theirs)).max() <= 1


@pytest.mark.parametrize("style", [net, anime])
def test_without_onnxruntime_the_recipe_that_wants_it_is_refused_and_never_run_by_another(
    style, monkeypatch, anew
):
    without_onnxruntime(monkeypatch)
    with pytest.raises(MissingExtra, match=r"pip install 'anidata\[onnx\]'"):
        selection.check(style.__name__.rpartition(".")[2], style.Config(runtime="onnxruntime"))
    style.ready(style.Config())


def test_onnxruntime_is_not_loaded_by_default(monkeypatch, anew):
    monkeypatch.setattr(_network, "load", lambda *_: pytest.fail("onnxruntime was asked"))
    assert net.draw(soft(32, 32), net.Config()).shape == (32, 32)


@pytest.mark.parametrize(("call", "said"), [("readNetFromONNX", "can't open"), ("forward", "fails to run")])
def test_a_runtime_that_fails_is_named_with_the_other(call, said, monkeypatch, anew):
    class Failing:
        def setInput(self, picture):  # noqa: N802 - OpenCV's name
            pass

        def forward(self):
            raise cv2.error("no memory\nelsewhere")

    def opened(data):
        if call == "readNetFromONNX":
            raise cv2.error("no memory")
        return Failing()

    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", opened)
    with pytest.raises(RecipeError, match=rf"{said}.*\(no memory\).*runtime=onnxruntime"):
        net.draw(soft(32, 32), net.Config())


def test_threads_of_a_program_draw_at_once_what_one_draws():
    pictures = [soft(96, 96, seed) for seed in range(6)]
    alone = [net.draw(rgb, net.Config()) for rgb in pictures]
    drawn = [None] * len(pictures)

    def work(n):
        for _ in range(5):
            drawn[n] = net.draw(pictures[n], net.Config())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((a == b).all() for a, b in zip(alone, drawn, strict=True))


# --- tiles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(400, 400), (160, 500), (530, 300)])
def test_tiles_join_without_a_seam(shape, monkeypatch):
    rgb = soft(*shape)
    whole = _line_net.opacity(rgb, "cv2").astype(int)
    monkeypatch.setattr(_line_net, "TILE", 320)
    assert np.abs(_line_net.opacity(rgb, "cv2") - whole).max() <= 2


@pytest.mark.parametrize("side", [16, 704, 720, 1216, 1232, 20000])
def test_tiles_cover_a_side_and_begin_at_multiples_of_16(side):
    covered = set()
    for outer, inner in _line_net._tiles(side):
        assert outer.start % 16 == 0
        assert 0 < outer.stop - outer.start <= _line_net.TILE
        assert outer.stop <= side
        covered |= set(range(outer.start + inner.start, outer.start + inner.stop))
    assert covered == set(range(side))


# --- what is drawn ---------------------------------------------------------------------------------


def test_colored_and_soft_lines_that_are_hardly_darker_than_their_ground_are_drawn():
    rgb = np.full((160, 160, 3), (240, 170, 150), np.uint8)
    cv2.circle(rgb, (80, 80), 50, (180, 110, 90), 3, cv2.LINE_AA)
    line = net.draw(rgb, net.Config())
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    around = [line[round(80 + 50 * np.sin(a)), round(80 + 50 * np.cos(a))] for a in angles]
    assert np.mean(np.array(around) < 128) > 0.95
    assert (line[:20] == 255).all()


def test_a_threshold_leaves_ink_and_paper():
    line = net.draw(soft(64, 64), net.Config())
    assert len(np.unique(line)) > 10
    assert (net.draw(soft(64, 64), net.Config(threshold=128)) == np.where(line < 128, 0, 255)).all()
