"""Tiny networks in ONNX files, made by the onnx package: what a learned extractor's export looks like."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

EDGE = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)


def save(
    path, nodes, weights=None, *, shape=(1, 1, "h", "w"), kind=TensorProto.FLOAT, outputs=("line",), **saving
):
    """A network of one picture `x`; what its nodes call `line` is its output."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()],
    )
    save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(path),
        **saving,
    )
    return str(path)


def identity(path, **options):
    """Returns its input: luma."""
    return save(path, [helper.make_node("Identity", ["x"], ["line"])], **options)


def convolution(path, kernels, **options):
    """A convolution of all channels by (channels, 3, 3) kernels, the border padded with 0."""
    weights = np.asarray(kernels, np.float32)[None]
    node = helper.make_node("Conv", ["x", "w"], ["line"], pads=[1, 1, 1, 1])
    return save(path, [node], {"w": weights}, shape=(1, weights.shape[1], "h", "w"), **options)


def scaled(path, factor, offset, **options):
    """factor · x + offset."""
    nodes = [helper.make_node("Mul", ["x", "a"], ["ax"]), helper.make_node("Add", ["ax", "b"], ["line"])]
    return save(path, nodes, {"a": np.float32(factor), "b": np.float32(offset)}, **options)
