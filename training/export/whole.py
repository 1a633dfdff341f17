"""`cnn export --whole`: pre- and post-processing inside the ONNX graph, so that a photograph goes
in and the answer comes out.

    images (uint8, images x height x width x 3, of any size)
      -> resize, crop, normalize -> the network -> the task's answers, in the size of the photograph

The graph has three parts: what is before the network is written here, in ONNX's own text format;
what is behind it is the task's own code (`Task.answers`), exported by torch. A network for gray
images takes photographs in color all the same, and turns them gray as files are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy
import onnx
import onnx.compose
import onnx.parser
import torch
from onnx import ModelProto, TensorProto, numpy_helper
from torch import Tensor, nn
from torch.export import Dim

from ...compiler.network import Network
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.diagnostic import plural_noun
from ..data.images.preprocessing import Preparation
from ..data.samples.sample_layout import noun_of
from ..tasks.task import Task
from .answering import answering
from .onnx_file import LARGEST, converted

IR = 10
"""The version of the file format of the part before the network alone; in a file it is torch's."""

RESIZE = {
    "bilinear": 'mode="linear", antialias=1, exclude_outside=1',
    "bicubic": 'mode="cubic", antialias=1, exclude_outside=1, cubic_coeff_a=-0.5',
    "nearest": 'mode="nearest", nearest_mode="round_prefer_ceil"',
}
"""ONNX's Resize as it is in evaluation. With bytes, onnxruntime computes as Pillow does: at most
one level of 255 from torch, whose weights are rounded earlier."""


def write_whole(
    file: Path, preparation: Preparation, task: Task, metadata: Mapping[str, str]
) -> None:
    """Puts what is before and behind the network into an ONNX file that has the network alone, with
    one input. Raises SpecError if its answers need several runs of the network."""
    must_see_whole_images(preparation, task)
    network = onnx.load(str(file))
    sizes = [value.dims for value in network.graph.initializer]
    if sum(int(numpy.prod(dims)) for dims in sizes) * 4 > LARGEST:
        message = "the weights take more than 2 GB, and --whole writes a single file"
        raise SpecError([Diagnostic("export-onnx", message, help="export it without --whole")])
    opset, ir = network.opset_import[0].version, network.ir_version
    shapes = [
        [dim.dim_value for dim in last.type.tensor_type.shape.dim][1:]
        for last in network.graph.output
    ]
    wanted = ("prepared", "size") if task.has_maps else ("prepared",)
    model = before(preparation, opset, ir, wanted)
    inside = onnx.compose.add_prefix(network, "network/")
    model = _joined(model, inside, [("prepared", inside.graph.input[0].name)])
    of_network = [value.name for value in inside.graph.output]
    for (prefix, one), outputs, shape in zip(answering(task), of_network, shapes, strict=True):
        if one.dense:
            back = _resize_back(shape[0], opset, ir)
            back = onnx.compose.add_prefix(back, f"back/{prefix}")
            pairs = zip((outputs, "size"), (value.name for value in back.graph.input), strict=True)
            model = _joined(model, back, list(pairs), keep=("size",))
            outputs = back.graph.output[0].name
        behind = onnx.compose.add_prefix(_behind(one, shape, opset, ir), f"answer/{prefix}")
        model = _joined(model, behind, [(outputs, behind.graph.input[0].name)])
    _without_output(model, "size")
    _named_outputs(model, "answer/")
    del model.metadata_props[:]
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(file))


def must_take_an_image(network: Network) -> None:
    """Raises SpecError for a network with several inputs, or one that does not take images."""
    several = len(network.inputs) > 1
    if several or len(network.input.shape) != 3:
        what = "has several inputs" if several else "does not take images"
        message = f"--whole is for networks that take one image, and {network.name} {what}"
        help = "export it without --whole: the file's metadata say what is needed around it"
        raise SpecError([Diagnostic("export-whole", message, help=help)])


def must_see_whole_images(preparation: Preparation, task: Task) -> None:
    """Raises SpecError if it prepares no images, or if they are answered in tiles, of which each
    has another number."""
    if not preparation.of_images:
        noun = plural_noun(noun_of(preparation.sample))
        message = f"--whole makes a graph that takes photographs, and this network takes {noun}"
        help = "export it with --script: the script has the preprocessing"
        raise SpecError([Diagnostic("export-whole", message, help=help)])
    if preparation.depth > 8:
        message = (
            "--whole makes a graph that takes images of 8 bits, and this network has learned from"
            f" {'16 bits' if preparation.depth == 16 else 'longer numbers'}"
        )
        help = "export it with --script: the script has the preprocessing"
        raise SpecError([Diagnostic("export-whole", message, help=help)])
    fit = preparation.fit
    if any(one.images for _, one in answering(task)):
        message = "a graph with --whole says what is in an image, and this network makes images"
        help = "export it without --whole, or let `cnn predict -o folder/` write the images"
        raise SpecError([Diagnostic("export-whole", message, help=help)])
    if not task.has_maps or fit.resize == fit.crop:
        return
    height, width = fit.crop
    message = "a graph resizes whole images, and this network answers for tiles of them"
    help = f"write `evaluate {{ resize {height}x{width} }}`, or export without --whole"
    raise SpecError([Diagnostic("export-whole", message, help=help)])


def _without_output(model: ModelProto, name: str) -> None:
    """Takes an output out that was only there for the parts behind it."""
    rest = [value for value in model.graph.output if value.name != name]
    del model.graph.output[:]
    model.graph.output.extend(rest)


def _joined(
    one: ModelProto,
    other: ModelProto,
    pairs: Sequence[tuple[str, str]],
    *,
    keep: Sequence[str] = (),
) -> ModelProto:
    """Two graphs as one: outputs of the first are inputs of the second. Those to `keep` stay
    outputs, too, for a part that comes later."""
    used = dict(pairs).keys() - {*keep}
    rest = [value.name for value in one.graph.output if value.name not in used]
    kept = [*rest, *(value.name for value in other.graph.output)]
    return onnx.compose.merge_models(one, other, io_map=list(pairs), outputs=kept)


def _named_outputs(model: ModelProto, prefix: str) -> None:
    """Takes a prefix from the names of the outputs."""
    names = {value.name: value.name.removeprefix(prefix) for value in model.graph.output}
    for value in model.graph.output:
        value.name = names[value.name]
    for node in model.graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
        node.input[:] = [names.get(name, name) for name in node.input]


# ---- before the network ----------------------------------------------------------------------


def before(
    preparation: Preparation, opset: int, ir: int, outputs: Sequence[str] = ("prepared",)
) -> ModelProto:
    """The graph from photographs to the input of the network: `prepared`. Other outputs are `size`,
    height and width of the photographs, and `pixels`, the bytes before they are normalized."""
    channels = 3 if preparation.channels in (1, 3) else preparation.channels
    height, width = preparation.fit.crop
    kinds = {
        "prepared": f"float[batch, {preparation.channels}, {height}, {width}]",
        "pixels": f"uint8[batch, {preparation.channels}, {height}, {width}]",
        "size": "int64[2]",
    }
    wanted = ", ".join(f"{kinds[name]} {name}" for name in outputs)
    lines = "\n".join(f"  {line}" for line in _steps(preparation))
    model = onnx.parser.parse_model(
        f'<ir_version: {ir}, opset_import: ["" : {opset}]>\n'
        f"before (uint8[batch, height, width, {channels}] images) => ({wanted}) {{\n{lines}\n}}"
    )
    factor = [preparation.scale / std for std in preparation.std]
    offset = [-mean / std for mean, std in zip(preparation.mean, preparation.std, strict=True)]
    model.graph.initializer.extend([_constant("factor", factor), _constant("offset", offset)])
    return model


def _constant(name: str, values: Sequence[float]) -> TensorProto:
    """A number for each channel, rounded once to single precision, as in training."""
    array = numpy.array(values, dtype=numpy.float64).astype(numpy.float32)
    return numpy_helper.from_array(array.reshape(1, -1, 1, 1), name)


def _steps(preparation: Preparation) -> Iterator[str]:
    """The operations, one a line."""
    fit = preparation.fit
    yield "two = Constant<value = int64[1] {2}>()"
    yield "four = Constant<value = int64[1] {4}>()"
    yield "photographs = Transpose<perm = [0, 3, 1, 2]>(images)"
    yield "shape = Shape(photographs)"
    yield "size = Slice(shape, two, four)"
    channels = "photographs"
    if preparation.channels == 1:
        yield from _luma()
        channels = "gray"
    if isinstance(fit.resize, tuple):
        height, width = fit.resize
        yield f"between = Constant<value = int64[2] {{{height}, {width}}}>()"
    else:  # the shorter side; the longer one in proportion, rounded down
        yield f"side = Constant<value = int64[1] {{{fit.resize}}}>()"
        yield "shorter = ReduceMin<keepdims = 1>(size)"
        yield "scaled = Mul(size, side)"
        yield "between = Div(scaled, shorter)"
    yield f"images_and_channels = Shape<start = 0, end = 2>({channels})"
    yield "sizes = Concat<axis = 0>(images_and_channels, between)"
    how = f'{RESIZE[fit.mode]}, coordinate_transformation_mode = "half_pixel"'
    yield f"resized = Resize<{how}>({channels}, , , sizes)"
    # The middle part; half a pixel is rounded to even.
    yield f"part = Constant<value = int64[2] {{{fit.crop[0]}, {fit.crop[1]}}}>()"
    yield "over = Sub(between, part)"
    yield "half = Div(over, two)"
    yield "odd = Mod(over, two)"
    yield "half_is_odd = Mod(half, two)"
    yield "up = Mul(odd, half_is_odd)"
    yield "start = Add(half, up)"
    yield "stop = Add(start, part)"
    yield "axes = Constant<value = int64[2] {2, 3}>()"
    yield "pixels = Slice(resized, start, stop, axes)"
    ordered = "pixels"
    if preparation.order == "bgr":
        yield "order = Constant<value = int64[3] {2, 1, 0}>()"
        yield "ordered = Gather<axis = 1>(pixels, order)"
        ordered = "ordered"
    yield f"levels = Cast<to = 1>({ordered})"
    yield "multiplied = Mul(levels, factor)"
    yield "prepared = Add(multiplied, offset)"


def _luma() -> Iterator[str]:
    """Colors as gray, rounded as in Pillow (ITU-R 601)."""
    yield "colors = Cast<to = 6>(photographs)"
    yield "weights = Constant<value = int32[1, 3, 1, 1] {19595, 38470, 7471}>()"
    yield "weighted = Mul(colors, weights)"
    yield "one = Constant<value = int64[1] {1}>()"
    yield "sum = ReduceSum<keepdims = 1>(weighted, one)"
    yield "rounding = Constant<value = int32[1] {32768}>()"
    yield "unit = Constant<value = int32[1] {65536}>()"
    yield "rounded = Add(sum, rounding)"
    yield "luma = Div(rounded, unit)"
    yield "gray = Cast<to = 2>(luma)"


# ---- behind the network ----------------------------------------------------------------------


def _resize_back(channels: int, opset: int, ir: int) -> ModelProto:
    """The graph that brings outputs for pixels to the size of the photographs."""
    how = f'{RESIZE["bilinear"]}, coordinate_transformation_mode = "half_pixel"'
    return onnx.parser.parse_model(
        f'<ir_version: {ir}, opset_import: ["" : {opset}]>\n'
        f"back (float[batch, {channels}, h, w] small, int64[2] wanted)"
        f" => (float[batch, {channels}, height, width] large) {{\n"
        "  rest = Shape<start = 0, end = 2>(small)\n"
        "  sides = Concat<axis = 0>(rest, wanted)\n"
        f"  large = Resize<{how}>(small, , , sides)\n}}"
    )


class Answers(nn.Module):
    """What a task makes of the outputs of a network."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(self, outputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.task.exported(self.task.answers(outputs)).values())


def _behind(task: Task, shape: Sequence[int], opset: int, ir: int) -> ModelProto:
    """The graph from outputs to answers, whose outputs have the names that the task gives them."""
    example = torch.zeros(2, shape[0], 5, 7) if task.dense else torch.zeros(2, *shape)
    named = {0: "batch", 2: "height", 3: "width"} if task.dense else {0: "batch"}
    sizes = {axis: Dim(name) for axis, name in named.items()}
    names = list(task.exported(task.answers(example)))
    with torch.no_grad():
        program = torch.export.export(
            Answers(task).eval(), (example,), dynamic_shapes=(sizes,), strict=False
        )
    model: ModelProto = converted(program, (["outputs"], names), opset, [named]).model_proto
    model.ir_version = ir
    return model
