"""`cnn probe`: how far images may be moved or disturbed before a trained network fails."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...compiler.commands.options import add_format, add_set, whole
from ...compiler.commands.plot_file import PLOTS, must_have_folders, write_bytes, write_plot
from ...compiler.commands.terminal import OK, UsageError, style
from ..runs.named_runs import no_run_of
from .common import add_data, add_device, needs_torch, print_json, progress_display

if TYPE_CHECKING:
    from ...compiler.report.grid import Column
    from ...compiler.report.style import Style
    from ..data.opened import Opened
    from ..show.measure.probe import Kind, Probe

EXAMPLES = """\
cnn probe runs/lenet5 shift
cnn probe runs/mlp runs/lenet5 shift -o shift.html
cnn probe runs/net rotate --strengths "0 10 20 40" -o rotate.png"""

DETAILS = """\
It classifies the validation images (of many, 2,000) at each strength. shift: pixels to the right;
rotate: degrees; scale: factor; noise: standard deviation in levels of 255; blur: sigma in pixels;
brightness: levels added. Networks with inputs of different sizes get the same images: pixels are
those of the smallest input. An .html also shows one image at all strengths, with the answers."""

KIND_NAMES = ("shift", "rotate", "scale", "noise", "blur", "brightness")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="run folders, which `cnn train` wrote"
    )
    parser.add_argument(
        "kind", metavar="KIND", help=f"what is done to the images: {', '.join(KIND_NAMES)}"
    )
    parser.add_argument(
        "--strengths", metavar="NUMBERS", help='strengths instead of the usual ones: "0 5 10"'
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write a page (.html) or a plot (.png, .svg)"
    )
    parser.add_argument(
        "--image", type=whole, default=0, metavar="N", help="the validation image on the page"
    )
    add_format(parser)
    add_data(parser, "probe on other images than those of the runs")
    add_device(parser)
    add_set(parser, "change a directive of a section; may be repeated")


def run(options: argparse.Namespace) -> int:
    from ...dsl.closest import closest

    if options.kind not in KIND_NAMES:
        close = closest(options.kind, KIND_NAMES)
        hint = f"did you mean `{close}`?" if close else f"it is one of {', '.join(KIND_NAMES)}"
        if any(name in KIND_NAMES for name in options.runs):
            hint = "the KIND comes last, after the runs"
        raise UsageError(f"{options.kind} is not a KIND of `cnn probe`: {hint}")
    for name in options.runs:
        if name in KIND_NAMES and not Path(name).exists():
            raise UsageError(f"one KIND at a time: {name} or {options.kind}")
        if not Path(name).is_dir():
            raise UsageError(no_run_of(name, ": name one that `cnn train` wrote"))
    if options.output is not None and Path(options.output).suffix.lower() not in PLOTS:
        raise UsageError("name a file to write that ends in .html, .png or .svg")
    must_have_folders(options.output)
    needs_torch("probing")

    from ...compiler.report.plot import Axis, Curve, plot
    from ..data.check_classes import must_have_classes
    from ..data.open import open_data
    from ..runtime.devices import find_device, using
    from ..show.measure.probe import KINDS, pixel_sizes, probe, unit_of
    from ..show.measure.probe_page import probe_page
    from ..show.subject import subject_of_run

    kind = KINDS[options.kind]
    strengths = _strengths(options.strengths, kind)
    device = find_device(options.device)
    subjects = [
        subject_of_run(Path(name), __version__, device=device, data=options.data, set=options.set)
        for name in options.runs
    ]
    for each in subjects:
        each.must_see_one_image("`cnn probe`")
        each.must_not_predict_numbers("`cnn probe`")
    size, pixels = pixel_sizes(kind, subjects)
    probes, images, label = [], [], ""
    with progress_display(options) as callback:
        for subject, pixel in zip(subjects, pixels, strict=True):
            with using(device):
                opened = open_data(
                    subject.plan, subject.base, device=device, progress=callback.reading
                )
            must_have_classes(
                subject.network, subject.plan, opened.dataset, subject.classes, subject.name
            )
            store = opened.stores["val"]
            if options.image >= len(store):
                raise UsageError(f"there is no image {options.image}: there are {len(store):,}")
            probes.append(probe(subject, opened, kind, strengths, callback.reading, pixel=pixel))
            images.append(store.read(options.image))
            label = label or _label(opened, options.image)
    if options.format == "json":
        print_json(_data(kind, size, probes))
    else:
        print("\n".join(line.rstrip() for line in _table(kind, size, probes, style(options))))
    if options.output is not None:
        title = f"Accuracy by {kind.name}"
        curves = [
            Curve(each.name, list(zip(each.strengths, each.accuracies, strict=True)))
            for each in probes
        ]
        svg = plot(title, curves, Axis(unit_of(kind, size)), Axis("accuracy", percent=True))
        if Path(options.output).suffix.lower() == ".html":
            page = probe_page(kind, probes, subjects, images, label, svg)
            write_bytes(options.output, page.encode())
        else:
            write_plot(options.output, title, svg)
    return OK


def _label(opened: Opened, index: int) -> str:
    """The name of a validation image, with its class."""
    name, label = opened.name("val", index), opened.stores["val"].labels[index]
    if label.ndim:
        return name
    return f"{name}, labeled {opened.dataset.classes[int(label)]}"


def _strengths(written: str | None, kind: Kind) -> tuple[float, ...]:
    if written is None:
        return kind.strengths
    try:
        numbers = tuple(float(word) for word in written.replace(",", " ").split())
    except ValueError:
        raise UsageError(f"--strengths {written!r} are not numbers, like `0 5 10`") from None
    least = 0.05 if kind.name == "scale" else 0.0
    bad = [n for n in numbers if not abs(n) <= 1000 or (kind.name in _POSITIVE and n < least)]
    if not numbers or bad:
        low = f"{least:g}" if kind.name in _POSITIVE else "-1000"
        given = f"{bad[0]:g}" if bad else "nothing"
        raise UsageError(f"--strengths: {kind.name} takes numbers from {low} to 1000, not {given}")
    return tuple(sorted(set(numbers)))


_POSITIVE = ("scale", "noise", "blur")


def _table(kind: Kind, size: str, probes: Sequence[Probe], style: Style) -> list[str]:
    from ...compiler.ops.worked import figure
    from ...compiler.report.grid import Column, grid
    from ..show.measure.probe import images_of, unit_of

    columns: list[Column[int]] = [
        Column(kind.name, lambda n: figure(probes[0].strengths[n]), True, optional=False),
        *(_column(each) for each in probes),
    ]
    lines = grid([columns], range(len(probes[0].strengths)), style)
    what = f"{kind.name}: {unit_of(kind, size)}"
    return [*lines, "", f"{what}; {images_of(probes)}"]


def _data(kind: Kind, size: str, probes: Sequence[Probe]) -> dict[str, Any]:
    from ..show.measure.probe import unit_of

    return {
        "kind": kind.name,
        "unit": unit_of(kind, size),
        "strengths": list(probes[0].strengths),
        "networks": [
            {
                "name": each.name,
                "data": each.data,
                "images": each.images,
                "top1": list(each.accuracies),
            }
            for each in probes
        ],
    }


def _column(probe: Probe) -> Column[int]:
    from ...compiler.report.grid import Column

    return Column(probe.name, lambda n: f"{100 * probe.accuracies[n]:.1f} %", True, optional=False)
