"""Networks in ONNX files: opened with nothing but their own bytes, and run on one picture."""

import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from anidata.errors import MissingExtra, RecipeError
from anidata.registry import nearest
from anidata.tar import opening

if TYPE_CHECKING:
    import onnxruntime

KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
RANGES = {  # of R, G, B from 0 to 1: what is taken off, and what the rest is divided by
    "unit": ((0, 0, 0), (1, 1, 1)),
    "signed": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"
QUIET = 4  # onnxruntime's own log: fatal errors alone; ours are typed
# bytes of private memory beyond what the process holds, as of a worker's picture (engine.worker.Limits)
MEMORY = 4 << 30
NOWHERE = "/nonexistent/anidata"  # where a network's further files are looked for
GRAY, RGB = 1, 3


class Wanted(Protocol):
    """Settings of a run: see onnx.Config."""

    @property
    def size(self) -> int: ...
    @property
    def multiple(self) -> int: ...
    @property
    def inputs(self) -> str: ...
    @property
    def output(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Network:
    """An open network that takes one picture."""

    session: "onnxruntime.InferenceSession"
    path: str
    sha256: str
    name: str  # of its input
    kind: str
    channels: int  # 1: luma, 3: R, G, B
    provider: str
    fixed: tuple[int, int] | None  # px, height and width, where it takes no others


def load(data: bytes, path: str, sha256: str, provider: str) -> Network:
    """The network in an ONNX file's bytes; `path` for messages.

    Raises: RecipeError: it is none, isn't whole, or takes anything but one picture.
    MissingExtra: onnxruntime isn't installed.
    """
    session = _session(data, path, provider)
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    channels = shape[1] if len(shape) == 4 and isinstance(shape[1], int) else RGB
    if not _takes_one_picture(inputs, shape, channels):
        taken = "; ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs)
        raise RecipeError(
            f"{path}: a style's network takes one picture, (1, 1 or 3, height, width) of numbers; "
            f"this one takes {taken or 'nothing'}."
        )
    return Network(
        session=session,
        path=path,
        sha256=sha256,
        name=inputs[0].name,
        kind=inputs[0].type,
        channels=channels,
        provider=provider,
        fixed=None if _free(shape[2:]) else (shape[2], shape[3]),
    )


def _takes_one_picture(inputs: Sequence[Any], shape: list[Any], channels: int) -> bool:
    if len(inputs) != 1 or len(shape) != 4:
        return False
    one = shape[0] == 1 or bool(_free(shape[:1]))
    return one and channels in {GRAY, RGB} and inputs[0].type in KINDS


def _free(shape: list[Any]) -> list[Any]:
    """The sides that a network leaves open: they have a name, or nothing, instead of a number."""
    return [side for side in shape if not isinstance(side, int)]


def _session(data: bytes, path: str, provider: str) -> "onnxruntime.InferenceSession":
    ort = _runtime()
    wanted = PROVIDERS[provider]
    if wanted not in ort.get_available_providers():
        raise _no_provider(provider)
    try:
        with _bounded(provider):
            session = ort.InferenceSession(data, _options(ort), providers=[wanted])
    except _failures() as error:
        raise RecipeError(
            f"{path}: can't be opened as an ONNX network that is whole in one file ({_line(error)})."
        ) from error
    if wanted not in session.get_providers():  # where CUDA's own libraries are missing, it goes on without
        raise _no_provider(provider)
    return session


def _runtime() -> Any:
    """The module onnxruntime, that tells nobody of it.

    1.32 reports to Microsoft on being imported, on Linux too, unless the environment forbids it by then;
    disable_telemetry_events() comes too late.
    """
    given = os.environ.get(TELEMETRY_OFF)
    os.environ.setdefault(TELEMETRY_OFF, "1")
    try:
        import onnxruntime  # noqa: PLC0415 - of an extra, and half a second
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "onnxruntime, which is to run the style's network, isn't installed. "
            "Install it with: pip install 'anidata[onnx]'"
        ) from error
    finally:
        if given is None:
            del os.environ[TELEMETRY_OFF]
    return onnxruntime


@contextmanager
def _bounded(provider: str) -> Iterator[None]:
    """Bound the memory of what is done within, where nothing does yet: a network asks for whatever it says.

    On a GPU nothing is bounded: its libraries reserve far more than they use.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    statm = Path("/proc/self/statm")
    if provider != "cpu" or soft != resource.RLIM_INFINITY or not statm.exists():
        yield
        return
    private = int(opening.read_bytes(statm).split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (private + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _no_provider(provider: str) -> RecipeError:
    return RecipeError(
        f"[lineart.style.onnx] provider: this onnxruntime has no '{provider}'. "
        "Take 'cpu', or install onnxruntime-gpu."
    )


def _failures() -> tuple[type[Exception], ...]:
    """The exceptions of onnxruntime: a dozen classes without a base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - as above

    classes = (kind for kind in vars(state).values() if isinstance(kind, type))
    return RuntimeError, MemoryError, *(kind for kind in classes if issubclass(kind, Exception))


def _options(ort: Any) -> Any:
    """One thread, for the same sums in the same order; nothing is read beside the bytes given."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = QUIET
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
    return options


def output_of(network: Network, name: str) -> str:
    """The name of an output; empty: the first.

    Raises: RecipeError: there is none of that name.
    """
    names = [output.name for output in network.session.get_outputs()]
    if name and name not in names:
        raise RecipeError(
            f"[lineart.style.onnx] output: {network.path} gives no '{name}'.{nearest(name, names)} "
            f"It gives: {', '.join(names)}"
        )
    return name or names[0]


def run(network: Network, rgb: npt.NDArray[np.uint8], wanted: Wanted) -> npt.NDArray[np.float32]:
    """The line that a network gives for a picture, (h, w) as the picture has it.

    Raises: RecipeError: it fails, or gives no picture of the size that it was given.
    """
    height, width = rgb.shape[:2]
    fitted, framed = _fit(rgb, network.fixed, wanted)
    tensor = _tensor(framed, network, wanted.inputs)
    high, wide = framed.shape[:2]
    given = answer(network, tensor, output_of(network, wanted.output))
    if given.size != high * wide or given.shape[-2:] != (high, wide):
        raise RecipeError(
            f"{network.path}: gives {given.shape} where (1, 1, {high}, {wide}) is a line of the picture."
        )
    line = given.reshape(high, wide)[: fitted[0], : fitted[1]].astype(np.float32)
    return _resized(line, height, width)


def answer(network: Network, tensor: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
    """What a network gives by an output's name for (1, c, h, w).

    Raises: RecipeError: it fails.
    """
    try:
        with _bounded(network.provider):
            return np.asarray(network.session.run([output], {network.name: tensor})[0])
    except _failures() as error:
        high, wide = tensor.shape[2:]
        raise RecipeError(
            f"{network.path}: fails on a picture of {wide} × {high} px ({_line(error)})."
        ) from error


def _fit(
    rgb: npt.NDArray[np.uint8], fixed: tuple[int, int] | None, wanted: Wanted
) -> tuple[tuple[int, int], npt.NDArray[np.uint8]]:
    """The size at which a network sees the picture, and the picture so large in the frame that it takes."""
    height, width = rgb.shape[:2]
    long = max(height, width)
    scale = min(fixed[0] / height, fixed[1] / width) if fixed else (wanted.size or long) / long
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    outer = fixed or tuple(-(-side // wanted.multiple) * wanted.multiple for side in inner)
    below, right = outer[0] - inner[0], outer[1] - inner[1]
    framed = cv2.copyMakeBorder(_resized(rgb, *inner), 0, below, 0, right, cv2.BORDER_REPLICATE)
    return inner, np.asarray(framed, np.uint8)


def _resized(picture: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    if picture.shape[:2] == (height, width):
        return picture
    smaller = height * width < picture.shape[0] * picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), picture.dtype)


def _tensor(rgb: npt.NDArray[np.uint8], network: Network, inputs: str) -> npt.NDArray[Any]:
    """(1, c, h, w), in the numbers and the range that the network takes."""
    picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None] if network.channels == GRAY else rgb
    if inputs != "byte" and network.kind != "tensor(uint8)":
        unit = picture.astype(np.float32) / np.float32(255)
        shift, scale = (np.array(numbers, np.float32)[: network.channels] for numbers in RANGES[inputs])
        picture = (unit - shift) / scale
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], KINDS[network.kind])


def _line(error: Exception) -> str:
    """The first line of a message."""
    return str(error).strip().split("\n", 1)[0][:300]
