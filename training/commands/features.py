"""`cnn features`: the output of a layer for every image, as a table for other programs."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ...compiler.commands.options import FILE, add_network_options
from ...compiler.commands.plot_file import PLOTS, must_have_folders, write_bytes, write_plot
from ...compiler.commands.terminal import OK, UsageError, say
from ...dsl.diagnostics import SpecError
from ...dsl.printable import show as printable
from .common import add_device, needs_torch, open_subject, progress_display

if TYPE_CHECKING:
    from ...compiler.network import Node
    from ..show.measure.features import Features
    from ..show.subject import Subject

EXAMPLES = """\
cnn features runs/net photos/ --layer fc1 -o table.csv
cnn features runs/net --layer fc1 --map map.png
cnn features resnet18 photos/ --weights resnet18.pt -o table.npz"""

DETAILS = """\
Without --layer it takes the input of the last fully connected layer. Without IMAGES it takes the
data of the run. A row has the file, its part of the data, its class, and the numbers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="NET", help=f"a run folder; or, with --weights, {FILE}")
    parser.add_argument(
        "images",
        nargs="?",
        metavar="IMAGES",
        help="a folder of images, with or without folders of classes, a .npz file, or the words of"
        " a `data` line",
    )
    parser.add_argument("--layer", metavar="LAYER", help="the layer, as `cnn report` names it")
    parser.add_argument(
        "--pool",
        choices=["mean", "max", "none"],
        default="mean",
        help="how a map becomes numbers: one for each channel, or all of them (default: mean)",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the table: .csv, .npz or .parquet (needs pyarrow)"
    )
    parser.add_argument(
        "--map",
        metavar="PICTURE",
        help="a picture of all images in two dimensions (.png, .svg or .html): two principal"
        " components, or UMAP where umap-learn is installed and --umap is given",
    )
    parser.add_argument("--umap", action="store_true", help="arrange the --map by UMAP")
    parser.add_argument("--weights", metavar="FILE", help="learned weights of a spec")
    add_device(parser)
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    if options.output is None and options.map is None:
        raise UsageError("name a table to write (-o table.csv) or a picture (--map map.png)")
    if options.map is not None and Path(options.map).suffix.lower() not in PLOTS:
        raise UsageError("a --map ends in .png, .svg or .html")
    if options.umap and options.map is None:
        raise UsageError("--umap arranges a picture: name it with --map map.png")
    must_have_folders(options.output, options.map)
    needs_torch("computing features")

    from ...compiler.report.figures import plural
    from ..show.measure.features import is_plain_folder, must_have_umap
    from ..show.measure.features_file import FORMATS, must_be_possible

    ending = Path(options.output).suffix.lower() if options.output is not None else ""
    if options.output is not None and ending not in FORMATS:
        raise UsageError(f"a table of features ends in {', '.join(FORMATS)}")
    must_be_possible(ending)
    if options.umap:
        must_have_umap()
    plain = options.images is not None and is_plain_folder(options.images)
    try:
        subject, node, found = _computed(options, plain)
    except SpecError:
        if plain or options.images is None or not Path(options.images).is_file():
            raise
        # Arrays without classes are no data to train on, but they are images.
        subject, node, found = _computed(options, True)
    for each in found.skipped:
        say(f"cnn: {printable(each)}")
    rows, numbers = found.values.shape
    print(f"{plural(rows, 'image')} x {plural(numbers, 'number')} of {node.name}, {subject.name}")
    if options.output is not None:
        write_bytes(options.output, FORMATS[ending](found))
    if options.map is not None:
        _write_map(found, node, options)
    return OK


def _computed(options: argparse.Namespace, plain: bool) -> tuple[Subject, Node, Features]:
    """The network, the layer and the features: of files if they are `plain`, else of data."""
    from ..show.measure.features import features_of_data, features_of_files

    data = None if plain else options.images
    subject = open_subject(options, data=data, input=options.input)
    subject.must_have_learned("a table of features")
    subject.must_see_one_image("`cnn features`")
    node = _layer(subject, options.layer)
    with progress_display(options) as callback:
        pool, progress = options.pool, callback.reading
        if plain:
            found = features_of_files(subject, node, [options.images], pool, progress)
        else:
            undivided = data is not None
            found = features_of_data(subject, node, pool, progress, undivided=undivided)
    return subject, node, found


def _layer(subject: Subject, wanted: str | None) -> Node:
    from ..show.choose_layer import choose_layer

    if wanted is not None:
        chosen = choose_layer(subject, wanted, "--layer")
        if chosen.channels is not None:
            raise UsageError(f"--layer takes a whole layer: `{chosen.node.name}`")
        return chosen.node
    network = subject.network
    linear = [node for node in network.nodes if node.op.kind == "linear" and not node.aux]
    return linear[-1].inputs[0] if linear else network.output


def _write_map(features: Features, node: Node, options: argparse.Namespace) -> None:
    from ...compiler.report.plot import Axis, Curve, scatter
    from ..show.measure.features import principal_components

    if options.umap:
        from ..show.measure.features import by_umap

        places = by_umap(features.values)
        across, up = "UMAP 1", "UMAP 2"
    else:
        places, shares = principal_components(features.values)
        across, up = (
            f"component {n + 1} ({100 * share:.0f} % of the variance)"
            for n, share in enumerate(shares)
        )
    groups: dict[str, list[tuple[float, float]]] = {}
    for label, (x, y) in zip(features.labels, places.tolist(), strict=True):
        groups.setdefault(label or "images", []).append((x, y))
    by_name = sorted(groups, key=_in_order)
    curves = [Curve(name, groups[name]) for name in by_name]
    title = f"{node.name}: {len(features.files):,} images"
    write_plot(options.map, title, scatter(title, curves, Axis(across), Axis(up)))


def _in_order(name: str) -> tuple[tuple[int, str], ...]:
    """Names by the numbers in them: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
