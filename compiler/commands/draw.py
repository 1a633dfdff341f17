"""`cnn draw`: draw a network as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...dsl.closest import closest
from .options import SPEC, add_network_options, natural
from .output_file import writing
from .specs import analysis_of
from .terminal import OK, CommandError, UsageError

EXAMPLES = """\
cnn draw resnet50 -o resnet50.svg
cnn draw net.cnn -o net.html --unfold
cnn draw unet -o unet.tex
cnn draw alexnet --scale volumes -o alexnet.svg
cnn draw lenet5 vgg16 resnet50 --scale volumes -o one-scale.svg
cnn draw vgg16 --figures params,macs -o vgg16.html
cnn draw net.cnn --format mermaid"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help=f"{SPEC}; several are drawn to one scale, with --scale volumes",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the file to write, whose ending decides the format; without it, the drawing goes to"
        " standard output, and --format is needed",
    )
    parser.add_argument(
        "--format",
        choices=["svg", "png", "html", "tikz", "dot", "mermaid"],
        help="the format, if the ending of OUT does not name it: tikz (net.tex) is a figure for"
        ' LaTeX; png needs `pip install "dotcnn[draw]"`',
    )
    parser.add_argument(
        "--unfold", action="store_true", help="draw every layer, without folding repeated parts"
    )
    parser.add_argument(
        "--depth",
        type=natural,
        metavar="N",
        help="draw each part of the network whose name has N parts as one box",
    )
    parser.add_argument(
        "--horizontal", action="store_true", help="draw from left to right; a U-Net stays a U"
    )
    parser.add_argument(
        "--scale",
        choices=["boxes", "volumes"],
        default="boxes",
        help="boxes: a box for each layer (default); volumes: every feature map as a block to"
        " scale, as in the papers of LeNet and AlexNet",
    )
    parser.add_argument(
        "--figures",
        type=_figures,
        default=(),
        metavar="LIST",
        help="figures to write into the boxes, separated by commas: params, macs, memory (of the"
        " outputs, for one image in fp32), field (receptive field), or all",
    )
    add_network_options(parser)
    parser.set_defaults(
        precision="fp32", optimizer="sgd", device="cuda", batch=1, devices=1, images=0
    )


def _figures(text: str) -> tuple[str, ...]:
    from ..report.drawing.box_figures import FIGURES

    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return tuple(FIGURES)
    for name in names:
        if name not in FIGURES:
            close = closest(name, list(FIGURES))
            hint = f"did you mean `{close}`?" if close else f"choose from {', '.join(FIGURES)}, all"
            raise argparse.ArgumentTypeError(f"{name!r} is not a figure; {hint}")
    return tuple(names)


def run(options: argparse.Namespace) -> int:
    from ..report.drawing.formats import SUFFIXES, draw, draw_to_one_scale, format_of
    from ..report.drawing.paint import TooLarge
    from ..report.drawing.png import NoFont, NotInstalled

    to_stdout = options.output in (None, "-")
    format = options.format or (None if to_stdout else format_of(options.output))
    if format is None:
        endings = ", ".join(SUFFIXES)
        name = "net" if options.files[0] == "-" else Path(options.files[0]).stem
        if not to_stdout:
            raise UsageError(
                f"the ending of {options.output} names no format: write -o {name}.svg (or an ending"
                f" of {endings}), or give a --format"
            )
        raise UsageError(
            f"name the file to write: -o {name}.svg (or an ending of {endings}), or give a --format"
            " for standard output"
        )
    if options.scale == "volumes" and format in ("dot", "mermaid"):
        raise UsageError(f"{format} draws boxes; for --scale volumes choose svg, png, html or tikz")
    if format == "png" and to_stdout and sys.stdout.isatty():
        raise UsageError("a terminal cannot show a png; name a file with -o")
    if len(options.files) > 1 and (options.scale != "volumes" or format == "html"):
        raise UsageError(
            "several networks are drawn to one scale: add --scale volumes, and choose svg, png or"
            " tikz"
        )
    analyses = [analysis_of(file, options) for file in options.files]
    try:
        if len(analyses) > 1:
            data = draw_to_one_scale(
                analyses, format, unfold=options.unfold, max_depth=options.depth
            )
        else:
            data = draw(
                analyses[0],
                format,
                unfold=options.unfold,
                max_depth=options.depth,
                horizontal=options.horizontal,
                volumes=options.scale == "volumes",
                figures=options.figures,
            )
    except TooLarge as error:
        advice = "leave --unfold out" if options.unfold else "--depth 1 draws parts as one box"
        raise UsageError(f"{error}; {advice}") from None
    except NotInstalled as error:
        raise CommandError(f"{error.message}\n  help: {error.help}") from None
    except NoFont as error:
        raise CommandError(str(error)) from None
    if to_stdout:
        sys.stdout.buffer.write(data)
    else:
        with writing(options.output):
            Path(options.output).write_bytes(data)
    return OK
