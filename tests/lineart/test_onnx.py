"""The onnx style: networks of one's own, against SciPy and NumPy; what is refused, and how it is said."""

import hashlib
import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage

from absent import without_onnxruntime
from anidata.errors import BadImage, MissingExtra, RecipeError
from anidata.lineart.styles import onnx
from anidata.lineart.styles.onnx import Config

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime, of the extra 'onnx', is not installed")
package = pytest.importorskip(
    "onnx", reason="the onnx package, which makes the networks of these tests, is not installed"
)
networks = pytest.importorskip("networks")
helper, TensorProto = package.helper, package.TensorProto


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def luma(rgb):
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


# what is drawn


def test_a_convolution_of_luma_is_scipys(tmp_path):
    kernel = networks.EDGE / 8
    rgb = noise(48, 64)
    expected = np.clip(ndimage.correlate(luma(rgb) / 255, kernel, mode="constant"), 0, 1) * 255
    line = onnx.draw(rgb, Config(networks.convolution(tmp_path / "n.onnx", [kernel])))
    assert np.abs(line - expected).max() < 0.51


def test_a_network_of_three_channels_gets_red_green_and_blue(tmp_path):
    rgb = noise(24, 32)
    for channel in range(3):
        kernels = np.zeros((3, 3, 3))
        kernels[channel, 1, 1] = 1
        assert (
            onnx.draw(rgb, Config(networks.convolution(tmp_path / f"{channel}.onnx", kernels)))
            == rgb[..., channel]
        ).all()


@pytest.mark.parametrize(
    ("inputs", "factor", "offset"),
    [("unit", 1, 0), ("signed", 0.5, 0.5), ("byte", 1 / 255, 0), ("imagenet", 0.229, 0.485)],
)
def test_pictures_go_in_at_the_range_that_the_config_says(tmp_path, inputs, factor, offset):
    rgb = noise(16, 24)
    line = onnx.draw(rgb, Config(networks.scaled(tmp_path / "n.onnx", factor, offset), inputs=inputs))
    assert (line == luma(rgb)).all()


def test_imagenets_mean_and_deviation_are_those_of_each_channel(tmp_path):
    mean, deviation = (
        np.float32(v).reshape(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    nodes = [
        helper.make_node("Mul", ["x", "a"], ["ax"]),
        helper.make_node("Add", ["ax", "b"], ["rgb"]),
        helper.make_node("ReduceMin", ["rgb"], ["line"], axes=[1], keepdims=1),
    ]
    path = networks.save(tmp_path / "n.onnx", nodes, {"a": deviation, "b": mean}, shape=(1, 3, "h", "w"))
    rgb = noise(16, 24)
    assert (onnx.draw(rgb, Config(path, inputs="imagenet")) == rgb.min(axis=2)).all()


@pytest.mark.parametrize(
    ("outputs", "factor", "offset"), [("unit", 1, 0), ("signed", 2, -1), ("byte", 255, 0)]
)
def test_lines_come_out_of_the_range_that_the_config_says(tmp_path, outputs, factor, offset):
    rgb = noise(16, 24)
    path = networks.scaled(tmp_path / "n.onnx", factor, offset)
    assert (onnx.draw(rgb, Config(path, outputs=outputs)) == luma(rgb)).all()
    assert (onnx.draw(rgb, Config(path, outputs=outputs, polarity="white_on_black")) == 255 - luma(rgb)).all()


def test_what_exceeds_the_range_is_black_or_white(tmp_path):
    path = networks.scaled(tmp_path / "n.onnx", 3, -1)
    line = onnx.draw(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2), Config(path))
    assert line.min() == 0
    assert line.max() == 255
    assert (np.diff(line[0].astype(int)) >= 0).all()


def test_a_threshold_leaves_ink_and_paper(tmp_path):
    rgb = noise(16, 24)
    line = onnx.draw(rgb, Config(networks.identity(tmp_path / "n.onnx"), threshold=100))
    assert ((line == 0) == (luma(rgb) < 100)).all()
    assert set(np.unique(line)) == {0, 255}


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (17, 16), (33, 70)])
@pytest.mark.parametrize("multiple", [1, 8, 32])
def test_sides_are_filled_up_and_the_lines_have_the_pictures_size(tmp_path, shape, multiple):
    half = [
        helper.make_node("AveragePool", ["x"], ["small"], kernel_shape=[1, 1]),
        helper.make_node("Identity", ["small"], ["line"]),
    ]
    rgb = noise(*shape)
    assert (
        onnx.draw(rgb, Config(networks.save(tmp_path / "n.onnx", half), multiple=multiple)) == luma(rgb)
    ).all()


def sizes_seen(tmp_path, rgb, config):
    """Height and width that a network is run at.

    It writes them, in thousandths, as the levels of its line.
    """
    nodes = [
        helper.make_node("Shape", ["x"], ["sides"], start=2),
        helper.make_node("Cast", ["sides"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Split", ["floats"], ["height", "width"], axis=0),
        helper.make_node("Mul", ["x", "nought"], ["blank"]),
        helper.make_node("Add", ["blank", "height"], ["tall"]),
        helper.make_node("Add", ["blank", "width"], ["wide"]),
    ]
    path = networks.save(tmp_path / "n.onnx", nodes, {"nought": np.float32(0)}, outputs=("tall", "wide"))
    return [
        int(np.unique(onnx.draw(rgb, replace(config, path=path, outputs="byte", output=name))).item())
        for name in ("tall", "wide")
    ]


@pytest.mark.parametrize(
    ("shape", "config", "seen"),
    [
        ((40, 60), Config(), [40, 64]),
        ((40, 60), Config(multiple=1), [40, 60]),
        ((40, 60), Config(size=120), [80, 120]),
        ((200, 100), Config(size=100, multiple=32), [128, 64]),
    ],
)
def test_the_size_is_the_long_sides_and_both_are_made_multiples(tmp_path, shape, config, seen):
    assert sizes_seen(tmp_path, np.full((*shape, 3), 77, np.uint8), config) == seen


def test_a_picture_run_at_half_its_size_is_about_itself_blurred(tmp_path):
    smooth = cv2.resize(noise(6, 6), (120, 80), interpolation=cv2.INTER_CUBIC)
    line = onnx.draw(smooth, Config(networks.identity(tmp_path / "n.onnx"), size=60, multiple=1))
    assert line.shape == (80, 120)
    assert np.abs(line.astype(int) - luma(smooth)).mean() < 6


@pytest.mark.parametrize("shape", [(64, 64), (30, 90), (90, 30), (10, 12)])
def test_a_network_of_one_fixed_size_gets_that_size(tmp_path, shape):
    path = networks.identity(tmp_path / "n.onnx", shape=(1, 1, 64, 64))
    smooth = cv2.resize(noise(3, 3), shape[::-1], interpolation=cv2.INTER_CUBIC)
    line = onnx.draw(smooth, Config(path))
    assert line.shape == shape
    assert np.abs(line.astype(int) - luma(smooth)).mean() < 8


def test_a_network_of_bytes_gets_bytes(tmp_path):
    nodes = [helper.make_node("Cast", ["x"], ["line"], to=TensorProto.FLOAT)]
    rgb = noise(16, 24)
    path = networks.save(tmp_path / "n.onnx", nodes, kind=TensorProto.UINT8)
    assert (onnx.draw(rgb, Config(path, outputs="byte")) == luma(rgb)).all()


def test_one_of_several_outputs_is_chosen_by_name(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["fused"]), helper.make_node("Neg", ["x"], ["side"])]
    path = networks.save(tmp_path / "n.onnx", nodes, outputs=("side", "fused"))
    rgb = noise(16, 24)
    assert (onnx.draw(rgb, Config(path)) == 0).all()
    assert (onnx.draw(rgb, Config(path, output="fused")) == luma(rgb)).all()
    with pytest.raises(RecipeError, match=r"gives no 'fusd'. Did you mean 'fused'\? It gives: side, fused"):
        onnx.settle(Config(path, output="fusd"))


# the pin


def test_settling_makes_the_path_absolute_and_pins_the_file(tmp_path, monkeypatch):
    path = Path(networks.identity(tmp_path / "n.onnx"))
    monkeypatch.chdir(tmp_path)
    settled = onnx.settle(Config("n.onnx", threshold=9))
    assert settled == Config(str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest(), threshold=9)
    assert onnx.settle(settled) == settled


def test_a_file_that_is_not_the_pinned_one_is_not_run(tmp_path):
    settled = onnx.settle(Config(networks.identity(tmp_path / "n.onnx")))
    networks.scaled(tmp_path / "n.onnx", 0.5, 0)
    for refuse in (onnx.settle, lambda config: onnx.draw(noise(8, 8), config)):
        with pytest.raises(
            RecipeError, match=rf"n.onnx has [0-9a-f]{{64}}, not {settled.sha256}. Bring the pinned file back"
        ):
            refuse(settled)
    assert onnx.settle(replace(settled, sha256="")).sha256 != settled.sha256


def test_the_pin_may_be_written_in_capitals(tmp_path):
    settled = onnx.settle(Config(networks.identity(tmp_path / "n.onnx")))
    assert onnx.settle(replace(settled, sha256=settled.sha256.upper())) == settled


def test_the_bytes_that_were_hashed_are_run_however_the_file_changes_later(tmp_path):
    rgb = noise(8, 8)
    settled = onnx.settle(Config(networks.identity(tmp_path / "n.onnx")))
    first = onnx.draw(rgb, settled)
    networks.scaled(tmp_path / "n.onnx", 0.5, 0)
    assert (onnx.draw(rgb, settled) == first).all()


# what is refused


def refusal(config):
    with pytest.raises(RecipeError) as caught:
        onnx.settle(config)
    return str(caught.value)


def test_no_path_says_how_to_name_one():
    for refuse in (onnx.settle, lambda config: onnx.draw(noise(8, 8), config)):
        with pytest.raises(RecipeError, match=r"which network\? Name its file: --style onnx:MODEL.onnx"):
            refuse(Config())


def test_a_missing_file_a_folder_and_a_file_of_another_kind_are_refused(tmp_path):
    (tmp_path / "junk.onnx").write_bytes(b"\x89PNG, not a network")
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert "none.onnx: there is no such file" in refusal(Config(str(tmp_path / "none.onnx")))
    assert "there is no such file" in refusal(Config(str(tmp_path)))
    for name in ("junk.onnx", "empty.onnx"):
        assert f"{name}: can't be opened as an ONNX network" in refusal(Config(str(tmp_path / name)))


def test_a_file_cut_short_is_refused(tmp_path):
    whole = Path(networks.convolution(tmp_path / "n.onnx", [networks.EDGE])).read_bytes()
    (tmp_path / "n.onnx").write_bytes(whole[: len(whole) // 2])
    assert "can't be opened as an ONNX network" in refusal(Config(str(tmp_path / "n.onnx")))


@pytest.mark.parametrize("shape", [(1, 4, "h", "w"), (2, 3, 64, 64), (3, 64, 64), (1, 64, 64, 3)])
def test_a_network_of_anything_but_one_picture_is_refused(tmp_path, shape):
    message = refusal(Config(networks.identity(tmp_path / "n.onnx", shape=shape)))
    assert (
        r"takes one picture, (1, 1 or 3, height, width) of numbers; this one takes x: tensor(float)"
        in message
    )


def test_a_network_of_two_pictures_or_of_integers_is_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "y"], ["line"])],
        "two",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1, "h", "w")) for name in "xy"],
        [helper.make_tensor_value_info("line", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "two.onnx").write_bytes(model.SerializeToString())
    assert "this one takes x: tensor(float) [1, 1, 'h', 'w']; y: tensor(float)" in refusal(
        Config(str(tmp_path / "two.onnx"))
    )
    nodes = [helper.make_node("Cast", ["x"], ["line"], to=TensorProto.FLOAT)]
    assert "tensor(int64)" in refusal(
        Config(networks.save(tmp_path / "long.onnx", nodes, kind=TensorProto.INT64))
    )


def test_an_output_that_is_no_picture_of_that_size_is_refused(tmp_path):
    for name, node in {
        "sum": helper.make_node("ReduceSum", ["x"], ["line"], keepdims=0),
        "half": helper.make_node("AveragePool", ["x"], ["line"], kernel_shape=[2, 2], strides=[2, 2]),
        "flat": helper.make_node("Flatten", ["x"], ["line"]),
    }.items():
        path = networks.save(tmp_path / f"{name}.onnx", [node])
        with pytest.raises(RecipeError, match=r"gives \(.*\) where \(1, 1, 8, 16\) is a line of the picture"):
            onnx.draw(noise(8, 16), Config(path))


def test_a_network_that_fails_on_a_size_says_so(tmp_path):
    nodes = [helper.make_node("Reshape", ["x", "to"], ["line"])]
    path = networks.save(tmp_path / "n.onnx", nodes, {"to": np.array([1, 1, 8, 8])})
    with pytest.raises(RecipeError, match="fails on a picture of 16 × 8 px"):
        onnx.draw(noise(8, 16), Config(path))


def test_a_picture_that_the_network_overflows_on_is_a_bad_picture(tmp_path):
    path = networks.save(tmp_path / "n.onnx", [helper.make_node("Log", ["x"], ["line"])])
    with pytest.raises(BadImage) as caught:
        onnx.draw(np.zeros((8, 8, 3), np.uint8), Config(path))
    assert caught.value.code == "not_finite"


@pytest.mark.parametrize("location", ["weights.bin", "../outside/weights.bin", "{absolute}"])
def test_weights_outside_the_file_are_never_read(tmp_path, monkeypatch, location):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    path = networks.convolution(
        inside / "n.onnx",
        [networks.EDGE],
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    shutil.copy(inside / "weights.bin", outside)
    model = package.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location.format(absolute=outside / "weights.bin")
    Path(path).write_bytes(model.SerializeToString())
    monkeypatch.chdir(inside)  # onnxruntime looks there for networks that are given as bytes
    assert "whole in one file" in refusal(Config(path))


@pytest.mark.parametrize("location", ["/dev/zero", "pipe", "/proc/self/mem", "folder"])
def test_weights_that_no_file_holds_are_never_waited_for(tmp_path, monkeypatch, location):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    path = networks.convolution(tmp_path / "n.onnx", [networks.EDGE])
    model = package.load(path)
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "36"}.items():
        weights.external_data.add(key=key, value=value)
    Path(path).write_bytes(model.SerializeToString())
    assert "whole in one file" in refusal(Config(path))


WEIGHTS = {
    "of no data": ([1 << 40], None),
    "of few data": ([100], b"1234"),
    "of a size past all numbers": ([1 << 33, 1 << 33], b"1234"),
    "of a size below zero": ([-1], b""),
}


@pytest.mark.parametrize("lie", WEIGHTS)
def test_weights_that_lie_about_their_shape_are_refused(tmp_path, lie):
    path = networks.convolution(tmp_path / "n.onnx", [networks.EDGE])
    model = package.load(path)
    weights = model.graph.initializer[0]
    weights.ClearField("dims")
    weights.dims.extend(WEIGHTS[lie][0])
    weights.ClearField("raw_data")
    if WEIGHTS[lie][1] is not None:
        weights.raw_data = WEIGHTS[lie][1]
    Path(path).write_bytes(model.SerializeToString())
    assert "can't be opened as an ONNX network" in refusal(Config(path))


def _huge(kind, path):
    """A network that asks for memory by its numbers alone."""
    node = helper.make_node
    sums = [node("ReduceSum", ["c"], ["r"], keepdims=0), node("Add", ["x", "r"], ["line"])]
    nodes, number = {
        "constant": ([node("ConstantOfShape", ["n"], ["c"]), *sums], np.array([3 << 29], np.int64)),
        "endless constant": ([node("ConstantOfShape", ["n"], ["c"]), *sums], np.array([1 << 50], np.int64)),
        "tile": ([node("Tile", ["x", "n"], ["line"])], np.array([1, 1, 9000, 9000], np.int64)),
        "pad": ([node("Pad", ["x", "n"], ["line"])], np.array([0] * 6 + [1 << 20] * 2, np.int64)),
        "resize": ([node("Resize", ["x", "", "n"], ["line"])], np.array([1, 1, 9000, 9000], np.float32)),
    }[kind]
    return networks.save(path, nodes, {"n": number})


@pytest.mark.parametrize("kind", ["constant", "endless constant", "tile", "pad", "resize"])
def test_a_network_that_asks_for_more_memory_than_a_worker_gets_is_refused(tmp_path, kind):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(RecipeError, match=r"fails on a picture|can't be opened as an ONNX network"):
        onnx.draw(np.zeros((16, 16, 3), np.uint8), Config(_huge(kind, tmp_path / "n.onnx")))
    assert resource.getrlimit(resource.RLIMIT_DATA) == limits
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB


@pytest.mark.parametrize("make", [os.mkfifo, lambda p: p.symlink_to("/dev/zero"), lambda p: p.mkdir()])
def test_what_is_no_file_is_refused(tmp_path, make):
    make(tmp_path / "n.onnx")
    assert str(tmp_path / "n.onnx") in refusal(Config(str(tmp_path / "n.onnx")))


def test_operators_of_other_libraries_are_not_known(tmp_path):
    node = helper.make_node("Draw", ["x"], ["line"], domain="my.library")
    graph = helper.make_graph(
        [node],
        "custom",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, "h", "w"))],
        [helper.make_tensor_value_info("line", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("my.library", 1)], ir_version=8
    )
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    assert "can't be opened" in refusal(Config(str(tmp_path / "n.onnx")))


def test_without_onnxruntime_the_extra_is_named(tmp_path, monkeypatch):
    path = networks.identity(tmp_path / "n.onnx")
    without_onnxruntime(monkeypatch)
    with pytest.raises(MissingExtra, match=r"pip install 'anidata\[onnx\]'"):
        onnx.settle(Config(path))


def test_a_provider_that_is_not_there_is_refused(tmp_path):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    assert "has no 'cuda'. Take 'cpu', or install onnxruntime-gpu" in refusal(
        Config(networks.identity(tmp_path / "n.onnx"), provider="cuda")
    )


def test_a_session_has_one_thread_and_is_opened_once(tmp_path):
    config = onnx.settle(Config(networks.identity(tmp_path / "n.onnx")))
    onnx.draw(noise(8, 8), config)
    network = onnx._opened(config.path, config.sha256, "cpu")
    assert onnx._opened(config.path, config.sha256, "cpu") is network
    options = network.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert network.session.get_providers() == ["CPUExecutionProvider"]
