"""The formats of other tools that networks are read from: each is one function in a file of its
own, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.files import read_file
from ...dsl.source import Source

if TYPE_CHECKING:
    from ..shapes import Shape
    from .graph import Graph


class Given:
    """What a network is read from."""

    def __init__(
        self,
        name: str,
        *,
        input_shape: Shape | None = None,
        weights: str = "",
        source: Source | None = None,
    ) -> None:
        self.name = name
        """A file, or what the format has instead: `torchvision:resnet50`."""
        self.input_shape = input_shape
        """It replaces that of the input, or says it where the file does not."""
        self.weights = weights
        """A file of weights, for formats that keep them apart."""
        if source is not None:
            self.source = source

    @cached_property
    def source(self) -> Source:
        """The text of the file."""
        return read_file(Path(self.name))


Read = Callable[[Given], "Graph"]


class Format(NamedTuple):
    tool: str
    endings: tuple[str, ...]
    """Of its files; or how its names begin, `torchvision:`."""
    module: str
    """Its file, in the package; it is imported when it is needed, since some need libraries of
    their own."""
    function: str
    weights: str = ""
    """The module whose function `weigh` reads the weights from another file into the graph, where
    `Graph.stored` says that they are."""
    weights_endings: tuple[str, ...] = ()

    def read(self, given: Given) -> Graph:
        """The network, with its weights if there are any; raises SpecError."""
        graph: Graph = getattr(_imported(self.module), self.function)(given)
        if given.weights and self.weights:
            graph = _imported(self.weights).weigh(graph, given.weights)
        return graph


def tensor_part() -> Any:
    """The part that puts weights into modules and files."""
    return _imported(_WEIGHTS)


def evaluation_part() -> Any:
    """The part that computes with weights."""
    return _imported(_EVALUATION)


_WEIGHTS = "training.importing.imported_weights"
_EVALUATION = "training.importing.evaluate"


def _imported(module: str) -> Any:
    """A part by its name, since this package does without torch."""
    if module.startswith("training."):
        missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
        if missing:
            message = f"importing weights needs {' and '.join(missing)}, not installed here"
            help = 'pip install "dotcnn[torch]"'
            raise SpecError([Diagnostic("missing-package", message, help=help)])
    return import_module(f"dotcnn.{module}")


_STATE_DICTS = (".safetensors", ".pth", ".pt", ".th", ".bin", ".ckpt", ".tar", ".npz")
"""Files of a module's state dict."""

FORMATS = (
    Format(
        "Caffe", (".prototxt", ".pbtxt"), "compiler.importing.caffe", "read_caffe",
        "training.importing.caffe_weights", (".caffemodel",),
    ),
    Format(
        "Darknet", (".cfg",), "compiler.importing.darknet", "read_darknet",
        "training.importing.darknet_weights", (".weights", ".backup"),
    ),
    Format("torch.export", (".pt2",), "training.importing.pt2", "read_pt2"),
    Format(
        "Keras", (".json",), "compiler.importing.keras.model", "read_keras",
        "training.importing.keras_weights", (".h5", ".hdf5", ".keras"),
    ),
    Format("Keras", (".h5", ".hdf5", ".keras"), "training.importing.keras_file", "read_keras_file"),
    Format("ONNX", (".onnx",), "training.importing.from_onnx.onnx_network", "read_onnx_network"),
    Format(
        "torchvision", ("torchvision:",), "training.importing.by_name", "read_torchvision",
        weights_endings=_STATE_DICTS,
    ),
    Format(
        "timm", ("timm:",), "training.importing.by_name", "read_timm", weights_endings=_STATE_DICTS
    ),
)  # fmt: skip


def format_of(name: str) -> Format | None:
    """The format of a file by its ending, or of a name by how it begins."""
    ending = PurePath(name).suffix.lower()
    begins = name.partition(":")[0] + ":"
    for each in FORMATS:
        if ending in each.endings or begins in each.endings:
            return each
    return None
