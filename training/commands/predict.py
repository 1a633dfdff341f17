"""`cnn predict`: classify images with a trained network."""

from __future__ import annotations

import argparse
from pathlib import Path

from ... import __version__
from ...compiler.commands.options import add_format, add_set, natural
from ...compiler.commands.terminal import ERRORS, OK, CommandError, UsageError, say, style
from .common import add_device, add_tta, needs_torch

EXAMPLES = """\
cnn predict runs/net photo.jpg
cnn predict runs/net photos/ --top 1 --format json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, which `cnn train` wrote")
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="an image, a folder with images, or a .npy or .npz file",
    )
    parser.add_argument(
        "-n",
        "--top",
        type=natural,
        default=5,
        metavar="N",
        help="show the N most likely classes of each image (default: 5)",
    )
    add_tta(parser)
    add_device(parser)
    add_format(parser)
    add_set(parser, "change a directive of a section, as in evaluate.tta=flip; may be repeated")


def run(options: argparse.Namespace) -> int:
    if not Path(options.run).is_dir():
        raise UsageError(f"{options.run} is not a run folder: name one that `cnn train` wrote")
    needs_torch("prediction")

    from ..display.outcome_text import as_text
    from ..display.prediction_text import prediction_json, prediction_text
    from ..inference.evaluate import tta_of
    from ..inference.predict import found_in, predict
    from ..inference.trained_model import open_run
    from ..runtime.devices import find_device

    device = find_device(options.device)
    model = open_run(Path(options.run), __version__, device=device, set=options.set)
    images = found_in(options.images, model.request.network.input.shape)
    if not images:
        raise CommandError("there are no images in " + ", ".join(options.images))
    tta = tta_of(model.plan) if options.tta else None
    predictions = list(predict(model, images, top=options.top, tta=tta))
    bad = [each for each in predictions if each.reason]
    if options.format == "json":
        about = {"network": model.request.network.name, "weights": model.name}
        print(as_text(prediction_json(about, predictions, model.classes or ())))
    elif len(bad) < len(predictions):
        print(prediction_text(predictions, style(options)))
    for each in bad:
        say(f"cnn: {each.image}: {each.reason}")
    return ERRORS if bad else OK
