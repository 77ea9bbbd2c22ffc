"""The network as an ONNX file, written node by node: the same weights give the same bytes.

Input `picture`: float32 (1, 3, h, w), RGB in [0, 1], sides multiples of 16. Output `ink`: (1, 1, h, w), the
opacity of ink in [0, 1].
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, VERSION = 13, 8  # of ONNX; of its file format: what OpenCV 4.10 and onnxruntime 1.16 read


class Graph:
    """Nodes as they are added; each layer's name is that of its weights."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights, self.nodes = weights, []
        twice = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "twice")
        self.constants = [twice, *(numpy_helper.from_array(weights[n], n) for n in sorted(weights))]

    def node(self, kind: str, inputs: list[str], name: str, **options: object) -> str:
        """Add one; its output is called by its name."""
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **options))
        return name

    def conv(self, x: str, name: str, stride: int = 1, pad: int | None = None) -> str:
        """A convolution with the weights of a layer."""
        side = self.weights[f"{name}.weight"].shape[2]
        around = [side // 2 if pad is None else pad] * 4
        inputs = [x, f"{name}.weight", f"{name}.bias"]
        return self.node("Conv", inputs, name, kernel_shape=[side] * 2, strides=[stride] * 2, pads=around)

    def active(self, x: str) -> str:
        """Relu."""
        return self.node("Relu", [x], f"{x}.relu")

    def residual(self, x: str, name: str) -> str:
        """X + relu(conv(x))."""
        return self.node("Add", [x, self.active(self.conv(x, f"{name}.conv"))], f"{name}.sum")

    def raised(self, x: str, onto: str, name: str) -> str:
        """A deeper level, brought to twice its size, on top of another."""
        options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        large = self.node("Resize", [self.conv(x, name), "", "twice"], f"{name}.twice", **options)
        return self.node("Add", [onto, large], f"{name}.sum")


def model(weights: Mapping[str, np.ndarray], header: Mapping[str, str]) -> bytes:
    """The file's bytes; `header`: what it says of itself."""
    graph = Graph(weights)
    half = graph.active(graph.conv("picture", "stem", 2, 2))
    quarter = graph.residual(graph.active(graph.conv(half, "down1", 2)), "left1")
    eighth = graph.residual(graph.active(graph.conv(quarter, "down2", 2)), "left2")
    deep = graph.active(graph.conv(eighth, "down3", 2))
    deep = graph.residual(graph.residual(deep, "deep1"), "deep2")
    eighth = graph.residual(graph.raised(deep, eighth, "up2"), "right2")
    quarter = graph.residual(graph.raised(eighth, quarter, "up1"), "right1")
    fine = graph.active(graph.conv(graph.raised(quarter, half, "up0"), "fine"))
    logits = graph.node("DepthToSpace", [graph.conv(fine, "last")], "logits", blocksize=2, mode="CRD")
    graph.node("Sigmoid", [logits], "ink")
    return _file(graph, header)


def _file(graph: Graph, header: Mapping[str, str]) -> bytes:
    picture, ink = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "h", "w"])
        for name, channels in (("picture", 3), ("ink", 1))
    )
    inner = helper.make_graph(graph.nodes, "lines", [picture], [ink], graph.constants)
    made = helper.make_model(inner, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="anidata")
    made.ir_version = VERSION
    helper.set_model_props(made, dict(sorted(header.items())))
    onnx.checker.check_model(made)
    return made.SerializeToString(deterministic=True)
