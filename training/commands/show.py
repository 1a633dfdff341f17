"""`cnn show`: run a network on images, and look at every number and feature map."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...compiler.commands.options import FILE, add_format, add_network_options, natural, whole
from ...compiler.commands.plot_file import PLOTS, must_have_folders, write_bytes, write_plot
from ...compiler.commands.specs import source_of
from ...compiler.commands.terminal import OK, UsageError, style
from ...dsl.diagnostics import SpecError
from .common import add_data, add_device, needs_torch, open_subject, print_json, write_sheet
from .show_learned import add_learned_options, show_learned

if TYPE_CHECKING:
    from torch import Tensor

    from ...compiler.network import Node
    from ...compiler.report.style import Style
    from ..show.input_images import InputImage
    from ..show.pictures.contact_sheet import Gray
    from ..show.run import Shown
    from ..show.subject import Subject

EXAMPLES = """\
cnn show edges photo.jpg
cnn show edges photo.jpg -o edges.png
cnn show by_hand --matrix "81 2 209 44; 24 56 108 98; 91 0 189 65; 12 8 5 40" --at 0,1
cnn show runs/net photo.jpg -o page.html
cnn show resnet50 photo.jpg layer1.0.conv2 --weights resnet50.safetensors
cnn show net.cnn --image 17 --weights best.safetensors
cnn show vgg16 photo.jpg features.28 --field -o field.png
cnn show plain56 resnet56 --gradients -o gradients.png
cnn show vgg16 --cover 1000
cnn show runs/net photo.jpg --why cat -o why.html
cnn show runs/net --filters conv1 -o filters.png
cnn show runs/net --dream conv3:0-8 -o dreams.png
cnn show runs/net --patches conv3:5 --data photos -o patches.png"""

DETAILS = """\
Without a LAYER it lists all layers, or prints their numbers where these are few; with one, it shows
its feature maps and works out one output. -o writes a picture of all feature maps, or a web page in
which every number can be followed back."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="NET", help=f"{FILE}; or a run folder")
    parser.add_argument(
        "shown",
        nargs="*",
        metavar="IMAGE [LAYER]",
        help="images, folders with images, .npy or .npz files; series: .npy, .npz, .wav; volumes:"
        " .npy, .npz, clips (.gif, .webp, .tif), folders of frames; for several inputs a file for"
        " each, or NAME=FILE; then a layer, by the name that `cnn report` shows",
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="learned weights of a spec: .safetensors, .pt, .npz"
    )
    given = parser.add_argument_group("other images")
    given.add_argument(
        "--matrix",
        action="append",
        default=[],
        metavar="ROWS",
        help='numbers instead of an image, as in "1 2 3; 4 5 6"; once for each channel of an image,'
        " or slice of a volume; a series has a row for each channel",
    )
    given.add_argument(
        "--noise",
        action="store_true",
        help="normal noise instead of an image; --seed draws other noise",
    )
    given.add_argument(
        "--image",
        type=whole,
        action="append",
        default=[],
        metavar="N",
        help="image N of the data, from 0 on; may be repeated",
    )
    given.add_argument(
        "--part",
        choices=["val", "test", "train"],
        default="val",
        help="the part of the data that --image counts in (default: val)",
    )
    add_data(given, "take other images than those that the spec names")
    output = parser.add_argument_group("what is shown")
    output.add_argument(
        "--at",
        metavar="POSITION",
        help="work out the output at row,column or channel,row,column, or number N of a vector; of"
        " a series at step or channel,step, of a volume at [channel,]slice,row,column",
    )
    output.add_argument(
        "--training",
        action="store_true",
        help="compute as in training: batch norms use these images, dropout draws",
    )
    output.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="write a contact sheet (.png) or a page with all layers (.html)",
    )
    gray = output.add_mutually_exclusive_group()
    for word, meaning in _GRAYS.items():
        gray.add_argument(
            f"--{word}", dest="gray", action="store_const", const=word, help=f"gray is {meaning}"
        )
    other = parser.add_argument_group("other questions")
    other.add_argument(
        "--field",
        action="store_true",
        help="the receptive field of LAYER (default: the last map): from theory, and as gradients"
        " measure it on the image or on noise; -o writes a picture (.png or .html)",
    )
    other.add_argument(
        "--cover",
        type=natural,
        metavar="PIXELS",
        help="the number of layers like LAYER (default: the first convolution) that it takes for a"
        " receptive field of PIXELS, with and without pooling",
    )
    other.add_argument(
        "--gradients",
        action="store_true",
        help="the gradient at each layer before training; of several NETs, side by side; -o writes"
        " a plot (.png, .html or .svg)",
    )
    add_learned_options(parser)
    add_format(output)
    add_device(parser)
    add_network_options(parser)


_GRAYS = {
    "scaled": "scaled for each map: black is its least value, white its greatest (default)",
    "abs": "the magnitude: black is 0, white the greatest magnitude of the layer",
    "raw": "the value itself: one scale for all maps of a layer",
}
"""What gray means in a picture."""


_QUESTIONS = ("cover", "gradients", "field", "why", "filters", "dream", "patches")
"""Options that ask for something else than the output of layers."""


def run(options: argparse.Namespace) -> int:
    asked = [name for name in _QUESTIONS if getattr(options, name) not in (None, False)]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} and --{asked[1]} are two questions: ask one at a time")
    if options.cover is not None:
        return _show_cover(options)
    must_have_folders(options.output)
    if options.file != "-" and not os.path.isdir(options.file):  # `-` can be read once
        source_of(options.file)  # says what is missing before torch is imported
    needs_torch("showing what a network does")
    if options.gradients:
        return _show_gradients(options)
    ending = Path(options.output).suffix.lower() if options.output is not None else ""
    if options.output is not None and ending not in (".png", ".html"):
        raise UsageError("name a file to write that ends in .png (a sheet) or .html (a page)")

    from ..show.run import run_network

    matrices = _matrices(options.matrix)
    subject = _subject(options, matrices)
    if options.field:
        return _show_field(subject, matrices, options)
    if asked:
        return show_learned(
            options, subject, lambda: _images(subject, options.shown, matrices, options)
        )
    known = bool(matrices or options.image or options.noise)
    paths, layers = _divided(options.shown, subject, has_image=known)
    images = _images(subject, paths, matrices, options)
    at = _position(options.at)
    if at is not None:
        layers = _one_layer(subject, layers)
    shown = run_network(subject, images, training=options.training)
    if options.output is not None:
        _write(shown, layers, options)
        return OK
    if options.format == "json":
        _print_json(shown, layers, at)
    else:
        print("\n".join(line.rstrip() for line in _lines(shown, layers, at, style(options))))
    return OK


# ---- network and images ------------------------------------------------------------------------


def _subject(options: argparse.Namespace, matrices: Sequence[Tensor]) -> Subject:
    from ..show.input_images import NoMatrix, matrix_shape

    try:
        # A matrix of another size than the spec's input is what the network is shown.
        input = options.input
        if matrices and not input:
            axes = _axes(options)
            input = None if axes is None else matrix_shape(matrices, axes)
    except NoMatrix as error:
        raise UsageError(f"--matrix: {error}") from None
    try:
        return open_subject(options, data=options.data, input=input)
    except SpecError:
        searched = options.patches is not None or options.dream is not None
        if not (searched and options.data is not None and os.path.isfile(options.data)):
            raise
    # A file of images without classes is no data to train on, but it can be searched.
    return open_subject(options, data=None, input=input)


def _axes(options: argparse.Namespace) -> int | None:
    """The number of axes of a spec's only input; None if it has several."""
    from ...compiler.commands.specs import given_spec, network_of
    from ...compiler.shapes import axes_of

    if os.path.isdir(options.file):
        return 2
    try:
        inputs = network_of(given_spec(options.file, options), options).inputs
    except SpecError:
        return 2  # with the size of the matrix, it may be well
    return axes_of(inputs[0].shape) if len(inputs) == 1 else None


def _matrices(texts: Sequence[str]) -> list[Tensor]:
    from ..show.input_images import NoMatrix, read_matrix

    try:
        return [read_matrix(each) for each in texts]
    except NoMatrix as error:
        raise UsageError(f"--matrix: {error}") from None


def _divided(
    words: Sequence[str], subject: Subject, *, has_image: bool
) -> tuple[list[str], tuple[Node, ...]]:
    """The images and the layers among the words of the command line. A last word that is no file
    names a layer."""
    from ...compiler.report.select import NotFound, select

    *paths, last = words or [""]
    for word in paths:
        file = _file_of(word, subject)
        if not os.path.exists(file) and not Path(file).suffix and os.sep not in file:
            raise UsageError(
                f"there is no image {word}; name one layer at a time, after the images"
            )
    if not last or os.path.exists(_file_of(last, subject)):
        return list(words), ()
    try:
        layers = select(subject.network, last).layers
        own = tuple(node for node in layers if not node.aux)
        if not own:
            raise UsageError(
                f"{layers[0].name} is in an auxiliary head, which exists only in training"
            )
        return paths, own
    except NotFound as error:
        if not (paths or has_image) or Path(last).suffix or os.sep in last:
            raise UsageError(f"there is no file {last}, and {error.message}") from None
        raise UsageError(
            f"{error.message}; {error.help}" if error.help else error.message
        ) from None


def _file_of(word: str, subject: Subject) -> str:
    """The file of `left=a.png`, for a network with several inputs."""
    name, equals, rest = word.partition("=")
    inputs = subject.network.inputs
    named = equals and len(inputs) > 1 and any(node.name == name for node in inputs)
    return rest if named and not os.path.exists(word) else word


def _one_layer(subject: Subject, layers: Sequence[Node]) -> tuple[Node]:
    """The layer for --at: the one that is named, or the only one of the network."""
    own = layers or [node for node in subject.network.nodes if node.inputs and not node.aux]
    if len(own) == 1 and own[0].inputs:
        return (own[0],)
    if len(own) == 1:
        raise UsageError(f"--at needs a layer, and {own[0].name} is not computed")
    if layers:
        raise UsageError(f"--at needs one layer; these are {len(own)}, up to `{own[-1].name}`")
    raise UsageError(f"--at needs a layer: `cnn report` lists the {len(own)} of this network")


def _images(
    subject: Subject,
    paths: Sequence[str],
    matrices: Sequence[Tensor],
    options: argparse.Namespace,
) -> list[InputImage]:
    from ..show.input_images import NoMatrix, from_data, from_files, from_matrices, noise

    ways = sum(map(bool, (paths, matrices, options.image, options.noise)))
    if ways > 1:
        raise UsageError("give files, --matrix, --image or --noise, not several of these")
    if options.noise:
        return [noise(subject, options.seed)]
    if matrices:
        try:
            return [from_matrices(matrices, subject.network.inputs)]
        except NoMatrix as error:
            raise UsageError(f"--matrix: {error}") from None
    if options.image:
        return from_data(subject, options.image, options.part)
    if not paths:
        raise UsageError(
            f"what should the network see? Name {_what_it_sees(subject)}, or give --matrix"
            ' "1 2 3; 4 5 6", --noise or --image N (of the spec\'s data)'
        )
    return from_files(subject, paths)


def _what_it_sees(subject: Subject) -> str:
    """What a network is shown, in words: `an image`, `a series (.npy, .npz, .wav)`."""
    from ...compiler.shapes import axes_of

    inputs = subject.network.inputs
    if len(inputs) > 1:
        return f"a file for each input ({', '.join(node.name for node in inputs)})"
    return {
        1: "a series (.npy, .npz, .wav)",
        2: "an image",
        3: "a volume (.npy, .npz, a clip, a folder of frames)",
    }.get(axes_of(inputs[0].shape), "a vector (.npy, .npz)")


def _position(written: str | None) -> tuple[int, ...] | None:
    if written is None:
        return None
    words = [word for word in written.replace(",", " ").split() if word]
    if not 1 <= len(words) <= 4 or not all(word.isdecimal() for word in words):
        raise UsageError(
            f"--at {written} is not a position: write row,column or channel,row,column (from 0 on),"
            " or one number for a vector; of a volume, slice,row,column"
        )
    return tuple(map(int, words))


# ---- what is printed or written ----------------------------------------------------------------


def _lines(
    shown: Shown, layers: Sequence[Node], at: tuple[int, ...] | None, style: Style
) -> Iterator[str]:
    from ...dsl.printable import show as printable
    from ..show import text
    from ..show.layer_figures import summary

    nodes = [node for node in shown.subject.network.nodes if node.index in shown.outputs]
    yield from text.heading(shown.subject, shown.images, style)
    if at is not None:
        for place, image in enumerate(shown.images):
            yield ""
            if len(shown.images) > 1:
                yield printable(image.title)
            yield from text.worked_lines(layers[0], shown.worked(layers[0], at, place), style)
        return
    if len(layers) == 1:
        yield ""
        yield from text.layer_lines(shown, layers[0], style)
        return
    yield ""
    if not layers and text.fits_as_numbers(nodes):
        yield from text.all_numbers(shown, nodes, style)
    else:
        chosen = [node for node in nodes if not layers or node in layers]
        rows = [summary(node, shown.outputs[node.index]) for node in chosen]
        yield from text.layer_table(shown.subject, rows, style)
    answers = text.answers(shown.subject, shown.images, shown.probabilities)
    answers += text.predicted_numbers(shown.subject, shown.images, shown.numbers)
    if answers:
        yield ""
        yield from answers


def _print_json(shown: Shown, layers: Sequence[Node], at: tuple[int, ...] | None) -> None:
    from ..show.text import data_of

    print_json(data_of(shown, layers, at))


def _write(shown: Shown, layers: Sequence[Node], options: argparse.Namespace) -> None:
    gray: Gray = options.gray or "scaled"
    if Path(options.output).suffix.lower() == ".png":
        from ..show.pictures.contact_sheet import contact_sheet

        write_sheet(options.output, contact_sheet(shown, gray, layers=layers))
        return
    from ..show.page.page_html import page_html

    first = layers[0] if layers else None
    html = page_html(
        shown.subject,
        shown.images,
        shown.outputs,
        training=shown.training,
        gray=gray,
        first=first,
    )
    write_bytes(options.output, html.encode())


# ---- other questions ---------------------------------------------------------------------------


def _show_field(subject: Subject, matrices: Sequence[Tensor], options: argparse.Namespace) -> int:
    from ...compiler.analysis.field import fields
    from ..show.measure.field_picture import field_sheet
    from ..show.measure.measured_field import field_data, field_lines, measure_field

    subject.must_see_one_image("--field", f"`cnn report {subject.name}` shows it for each layer")
    paths, layers = _divided(options.shown, subject, has_image=True)
    seen = bool(paths or matrices or options.image)
    images = _images(subject, paths, matrices, options) if seen else []
    network = subject.network
    if not layers:
        own = [node for node in network.nodes if node.inputs and not node.aux]
        maps = [node for node in own if len(node.shape) == 3]
        large = [node for node in maps if node.shape[1:] != (1, 1)]
        if not maps:
            raise UsageError(f"{network.name} has no layer with a map")
        layers = ((large or maps)[-1],)
    by_node = fields(network)
    measured = [measure_field(subject, node, images) for node in layers]
    if options.format == "json":
        print_json({"network": network.name, "fields": [field_data(each) for each in measured]})
    else:
        look = style(options)
        parts = ["\n".join(field_lines(m, by_node[m.node.index], look)) for m in measured]
        print("\n\n".join(parts))
    if options.output is not None:
        write_sheet(options.output, field_sheet(subject, measured, images[0] if images else None))
    return OK


def _show_cover(options: argparse.Namespace) -> int:
    """Needs no torch."""
    from ...compiler.analysis.cover import convs_alone, convs_and_pools
    from ...compiler.commands.specs import given_spec, network_of
    from ...compiler.report.figures import exact, plural
    from ...compiler.report.select import NotFound, select
    from ...compiler.shapes import POINTS, by

    network = network_of(given_spec(options.file, options), options)
    try:
        layers = select(network, options.shown[-1]).layers if options.shown else network.nodes
    except NotFound as error:
        raise UsageError(error.message) from None
    convs = [node for node in layers if node.op.kind == "conv"]
    convs = [node for node in convs if max(node.op.arguments.get("kernel", (1,))) > 1] or convs
    if not convs:
        where = f" at `{options.shown[-1]}`" if options.shown else ""
        raise UsageError(f"{network.name} has no convolution{where}")
    node = convs[0]
    kernel = max(node.op.arguments["kernel"])
    dilation = max(node.op.arguments.get("dilation", (1,)))
    pixels = options.cover
    alone = convs_alone(pixels, kernel, dilation)
    pooled = convs_and_pools(pixels, kernel, dilation)
    if options.format == "json":
        stacks = {"alone": alone, "with_2x2_pools": pooled}
        asked = {"pixels": pixels, "kernel": kernel, "dilation": dilation}
        print_json(asked | {name: each and each._asdict() for name, each in stacks.items()})
        return OK
    axes = len(node.op.arguments["kernel"])
    points, size = POINTS[axes], by((kernel,) * axes)
    if alone is None or pooled is None:
        print(f"{size} convolutions see one {points[:-1]}, however many there are.")
        return OK
    dilated = f" with dilation {dilation}" if dilation > 1 else ""
    what = f"{size} convolutions{dilated}" if axes > 1 else f"convolutions of {size}{dilated}"
    along = " along an axis" if axes > 1 else ""
    print(f"Until one output sees {exact(pixels)} {points}{along}, {what} like {node.name}:")
    print(
        f"  alone               {plural(alone.convs, 'convolution')}: {exact(alone.sees)} {points}"
    )
    pools = f"{plural(pooled.convs, 'convolution')} and {plural(pooled.pools, 'pool')}"
    pool = f"{by((2,) * axes)} pools" if axes > 1 else "pools of 2"
    print(f"  with {pool.ljust(15)}{pools} between them: {exact(pooled.sees)} {points}")
    return OK


def _show_gradients(options: argparse.Namespace) -> int:
    from ...compiler.report.plot import Axis, Curve, plot
    from ..show.measure.gradients import (
        comparison_lines,
        gradient_lines,
        gradients_data,
        measure_gradients,
    )

    if options.output is not None and Path(options.output).suffix.lower() not in PLOTS:
        raise UsageError("name a plot to write that ends in .png, .html or .svg")
    several = []
    for name in (options.file, *options.shown):
        options.file = name
        several.append(measure_gradients(_subject(options, [])))
    look = style(options)
    if options.format == "json":
        print_json({"networks": [gradients_data(each) for each in several]})
    else:
        one = len(several) == 1
        lines = gradient_lines(several[0], look) if one else comparison_lines(several, look)
        print("\n".join(line.rstrip() for line in lines))
    if options.output is not None:
        curves = [
            Curve(
                each.subject.network.name,
                [(place + 1, layer.norm) for place, layer in enumerate(each.layers)],
            )
            for each in several
        ]
        when = " and ".join(dict.fromkeys(each.when for each in several))
        title = f"Gradients {when}: does learning reach the first layers?"
        across = Axis("layers with weights, first to last")
        svg = plot(title, curves, across, Axis("norm per weight", log=True))
        write_plot(options.output, title, svg)
    return OK
