"""Options of `cnn show` for what a network has learned: --why, --filters, --dream, --patches."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...compiler.commands.options import whole
from ...compiler.commands.terminal import OK, UsageError, style
from ...dsl.printable import show as printable
from .common import print_json, progress_display, write_sheet

if TYPE_CHECKING:
    from ..show.input_images import InputImage
    from ..show.pictures.picture_sheet import PictureSheet
    from ..show.subject import Subject

_LAYER = "LAYER[:CHANNELS]"


def add_learned_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "what it has learned", "text, or pictures with -o (.png or .html)"
    )
    only = group.add_mutually_exclusive_group()
    only.add_argument(
        "--why",
        nargs="?",
        const="",
        metavar="CLASS",
        help="where the evidence for CLASS is in IMAGE, or in a series, and the evidence against it"
        " (default: the three most likely classes): Grad-CAM, occlusion, integrated gradients; of a"
        " network with several outputs, OUTPUT or OUTPUT:CLASS",
    )
    only.add_argument(
        "--filters", metavar=_LAYER, help="the filters of a layer: conv1, or conv1:0-8 for some"
    )
    only.add_argument(
        "--dream",
        metavar=_LAYER,
        help="images that excite channels of a layer most, drawn from noise; with --data, compared"
        " with these images",
    )
    only.add_argument(
        "--patches",
        metavar=_LAYER,
        help="the nine parts of images that excite channels most; of a folder with --data",
    )
    group.add_argument(
        "--seed",
        type=whole,
        default=0,
        metavar="N",
        help="another noise for --dream and --noise (default: 0)",
    )


@dataclass(frozen=True)
class _View:
    """What one of the options shows."""

    lines: Iterable[str]
    data: dict[str, Any]
    """For JSON."""
    sheet: Callable[[], PictureSheet]


def show_learned(
    options: argparse.Namespace, subject: Subject, images: Callable[[], list[InputImage]]
) -> int:
    """Prints or writes what one of the options asks for; `images` are those of the command line."""
    view = (
        _why(options, subject, images) if options.why is not None else _of_layer(options, subject)
    )
    if options.format == "json":
        print_json(view.data)
    elif options.output is None or options.filters is None:
        print("\n".join(line.rstrip() for line in view.lines))
    if options.output is not None:
        write_sheet(options.output, view.sheet())
    return OK


def _why(
    options: argparse.Namespace, subject: Subject, images: Callable[[], list[InputImage]]
) -> _View:
    from ..show.choose_layer import choose_classes, choose_output
    from ..show.why.why import why, why_data, why_lines, why_sheet

    if options.why and not options.shown and os.path.isfile(options.why):
        # `--why photo.jpg`: argparse took the image for the class.
        options.why, options.shown = "", [options.why]
    subject.must_see_one_image("--why", or_series=True)
    subject, asked = choose_output(subject, options.why, "--why")
    classes = choose_classes(subject, asked, "--why") if asked else None
    given = images()
    reasons = []
    with progress_display(options) as callback:
        for each in given:
            name = f"{printable(each.name)}: " if len(given) > 1 else ""

            def progress(what: str, done: int, total: int, name: str = name) -> None:
                callback.reading(name + what, done, total)

            reasons.append(why(subject, each, classes, progress=progress))
    lines = []
    for reason in reasons:
        lines += [printable(reason.image.name), ""] if len(reasons) > 1 else []
        lines += [*why_lines(reason, style(options)), ""]
    return _View(lines[:-1], why_data(reasons), lambda: why_sheet(reasons))


def _of_layer(options: argparse.Namespace, subject: Subject) -> _View:
    from ..show.choose_layer import choose_layer
    from ..show.data_images import data_images

    look = style(options)
    if options.shown:
        raise UsageError(
            f"{options.shown[0]}: --filters, --dream and --patches take no image; --data names"
            " a folder of images"
        )
    if options.filters is not None:
        from ..show.learned.layer_filters import (
            filters_data,
            filters_lines,
            filters_of,
            filters_sheet,
        )

        sets = filters_of(subject, choose_layer(subject, options.filters, "--filters"))
        lines = [line for each in sets for line in ["", *filters_lines(each, look)]]
        return _View(lines[1:], filters_data(sets), lambda: filters_sheet(subject, sets))
    subject.must_see_one_image("--dream" if options.dream is not None else "--patches")
    with progress_display(options) as callback:
        if options.dream is not None:
            from ..show.learned.dream import dream, dream_data, dream_lines, dream_sheet

            chosen = choose_layer(subject, options.dream, "--dream")
            data = None
            if options.data is not None:
                data = data_images(subject, options.data, options.part, callback.reading)
            dreams = dream(
                subject, chosen, images=data, seed=options.seed, progress=callback.reading
            )
            return _View(
                dream_lines(subject, dreams, look),
                dream_data(subject, dreams),
                lambda: dream_sheet(subject, dreams),
            )
        from ..show.learned.patches import patches, patches_data, patches_lines, patches_sheet

        chosen = choose_layer(subject, options.patches, "--patches")
        subject.must_have_learned("--patches")
        data = data_images(subject, options.data, options.part, callback.reading)
        found = patches(subject, chosen, data, progress=callback.reading)
        return _View(
            patches_lines(subject, found, look),
            patches_data(subject, found),
            lambda: patches_sheet(subject, found),
        )
