"""`cnn export`: write a network for other programs to run, as ONNX, torch.export or safetensors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...compiler.commands.options import FILE, add_network_options, natural
from ...compiler.commands.output_file import keep_others_files, writing
from ...compiler.commands.specs import given_spec, network_of
from ...compiler.commands.terminal import OK, UsageError, say
from ...dsl.diagnostics import SpecError

if TYPE_CHECKING:
    from ..request import Request

EXAMPLES = """\
cnn export runs/net -o net.onnx --whole
cnn export runs/net -o net.onnx --script
cnn export net.cnn --weights best.safetensors -o net.onnx
cnn export resnet18 -o resnet18.pt2 --fold
cnn export net.cnn --weights best.pt -o net.onnx --predict --batch 1
cnn export net.cnn --weights best.pt -o net.safetensors"""

DETAILS = """\
The file is written only after it has been read back, run, and found to give the same outputs. With
--whole, it is also asked about a photograph of the run's data.

What is needed around the network is in the file's metadata (ONNX: metadata_props; .pt2:
dotcnn.json in the archive; safetensors: the header):

  task                   classification, multi_label, segmentation or regression
  classes                names in the order of the outputs, or of the numbers (JSON)
  dotcnn.preprocessing   resize, crop, interpolation, scale, mean, std, order of colors (JSON)
  dotcnn.output          what the outputs are: logits, probabilities, numbers; with --whole, names
  dotcnn.thresholds      of several classes: the probability from which each is predicted (JSON)
  dotcnn.palette         of masks: red, green and blue for each class (JSON)
  means, deviations      of numbers: by which they are standardized, unless --predict or --whole
  dotcnn.whole           there with --whole: pre- and post-processing are in the graph
  dotcnn.images          with --whole: what the input is
  dotcnn.network, dotcnn.spec, dotcnn.spec_sha256, dotcnn.input, dotcnn.classes,
  dotcnn.weights, dotcnn.version       what was exported, and by which version"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help=f"{FILE}; or a run folder, for its best weights"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="the file to write, which ends in .onnx, .pt2 (torch.export) or .safetensors",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace OUT even if `cnn export` did not write it"
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="a .safetensors file, or a state dict that torch saved (default: initial, untrained"
        " weights)",
    )
    parser.add_argument(
        "--fold",
        action="store_true",
        help="fold batch norms into the convolutions before them, and standardize filters once",
    )
    parser.add_argument(
        "--predict",
        action="store_true",
        help="output probabilities, not logits: with the softmax or sigmoid that the loss implies;"
        " or numbers in the units of the data, if the network has learned numbers",
    )
    parser.add_argument(
        "--script",
        action="store_true",
        help="write a Python script beside the ONNX file that answers for photographs with it",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="put pre- and post-processing into the ONNX graph: photographs of any size go in"
        " (uint8, images x height x width x 3), and what `cnn predict` says comes out",
    )
    parser.add_argument(
        "--batch",
        type=natural,
        metavar="N",
        help="accept only batches of N images (default: batches of any size)",
    )
    parser.add_argument(
        "--opset",
        type=natural,
        metavar="N",
        help="ONNX opset; older runtimes need an older one (default: the newest that torch writes)",
    )
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    from ..export import formats

    if options.output in ("", "-"):
        raise UsageError("an export is read back and run, so it needs a file: -o net.onnx")
    format = formats.format_of(options.output)
    if format is None:
        raise UsageError(formats.unknown(options.output))
    misfit = formats.misfit(
        format, options.fold, options.predict, options.batch, options.opset, options.script,
        options.whole,
    )  # fmt: skip
    if misfit:
        raise UsageError(misfit)
    keep_others_files(options.output, formats.EXPORTED, "`cnn export`", options.force)
    if options.script:
        script = Path(options.output).with_name(formats.script_name(Path(options.output)))
        keep_others_files(str(script), formats.SCRIPT, "`cnn export`", options.force)
    run = Path(options.file) if options.file != "-" and Path(options.file).is_dir() else None
    if run is not None and (options.input or options.network or options.max_layers):
        raise UsageError("--input, --network and --max-layers are for specs; a run has its own")
    missing = formats.not_installed(format)
    if missing is not None:
        raise SpecError([missing])
    with writing(options.output):
        return _export(options, run)


def _export(options: argparse.Namespace, run: Path | None) -> int:
    weights, classes, photograph = options.weights, None, ""
    if run is not None:
        from ..saved_request import best_of, request_of

        request = request_of(run, options.set)
        network = request.network
        photograph = _photograph(request) if options.whole else ""
        weights = weights or best_of(run)
    else:
        if weights is not None:
            from ..export.trained import classes_of

            classes = classes_of(weights)
        network = network_of(given_spec(options.file, options), options, classes)
    if weights is None:
        say("no --weights: the network is exported with its initial weights, untrained")

    from ..export.export import export

    exported = export(
        network,
        options.output,
        __version__,
        weights=weights,
        fold_norms=options.fold,
        predict=options.predict,
        batch=options.batch,
        opset=options.opset,
        script=options.script,
        whole=options.whole,
        photograph=photograph,
        say=say,
    )
    say(f"wrote {' and '.join(map(str, exported.files))}")
    return OK


def _photograph(request: Request) -> str:
    """An image file of the data of a run, for a check; "" if there is none any more."""
    from ..data.loader.image_source import Files
    from ..data.sources.read import contents

    try:
        parts = contents(request.plan.train.data, request.base, request.plan.input).parts
    except SpecError:  # the data has been moved, or were arrays: the check does without it
        return ""
    part = parts.get("val", parts["train"])
    return part.path(0) if type(part) is Files else ""
