"""Compares the sizes of series and scans with the size that the network takes: what is cropped or
padded is said, and what lacks padding is an error that shows both places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ....compiler.plan.plan import TrainPlan
from ....compiler.shapes import LINES, Shape, axes_of, by, text
from ....dsl.diagnostics import Diagnostic, Label, SpecError
from ..diagnostic import counted, plural_noun
from ..loader.image_source import Contents
from .sample_fit import SampleFit


def sample_notes(
    plan: TrainPlan, contents: Contents, sizes: Mapping[str, Sequence[Shape]]
) -> Iterator[str]:
    """What is cropped and padded. Raises SpecError if something is shorter than the input and the
    plan does not pad."""
    fit = SampleFit.of(plan)
    every = [size for part in sizes.values() for size in part]
    if not every:
        return
    if any(map(fit.too_short, every)):
        raise _too_short(plan, contents, every, fit)
    least, most = _span(every)
    takes = in_words(fit.crop)
    if contents.rate:
        takes += f" ({fit.crop[0] / contents.rate:.3g} s)"
    if any(map(fit.longer, every)):
        where = "at random in training, else to the center"
        if plan.evaluate.tiles is not None:
            where = "at random in training; else all of each is answered, in tiles"
        yield (
            f"{plural_noun(contents.noun)} of {_range(least, most)} are cropped to {takes}: {where}"
        )
    if any(have < want for size in every for have, want in zip(size, fit.crop, strict=True)):
        yield f"{plural_noun(contents.noun)} of less than {takes} are padded"


def _span(sizes: Sequence[Shape]) -> tuple[Shape, Shape]:
    along = list(zip(*sizes, strict=True))
    return tuple(map(min, along)), tuple(map(max, along))


def _range(least: Shape, most: Shape) -> str:
    low = f"{least[0]:,}" if len(least) == 1 else by(least)
    return in_words(most) if least == most else f"{low} to {in_words(most)}"


def in_words(sizes: Shape) -> str:
    """`140 steps`, `16x64x64 voxels`."""
    if len(sizes) == 1:
        return counted(sizes[0], "step")
    return f"{by(sizes)} {'voxels' if len(sizes) == len(LINES) else 'pixels'}"


def _too_short(
    plan: TrainPlan, contents: Contents, sizes: Sequence[Shape], fit: SampleFit
) -> SpecError:
    short = [size for size in sizes if fit.too_short(size)]
    least, most = _span(sizes)
    noun = contents.noun
    if least == most:
        message = f"the {plural_noun(noun)} have {in_words(least)}, and the network takes"
    else:
        verb = "is" if len(short) == 1 else "are"
        message = (
            f"{len(short):,} of {counted(len(sizes), noun)} {verb} shorter than the network takes:"
            f" they have {_range(least, most)}, and it takes"
        )
    data = plan.train.data
    input, place = plan.input_place, data.place("path") or data.span
    own = text((plan.sample[0], *least))
    labels = (Label(place, f"{plural_noun(noun)} of {_range(least, most)}"),) if place else ()
    help = (
        "write `evaluate { pad zero }`"
        if axes_of(plan.input) != axes_of(plan.sample)
        else f"write `input {own}`, or `evaluate {{ pad zero }}`"
    )
    message = f"{message} {in_words(fit.crop)}"
    return SpecError([Diagnostic("unfit-input", message, input, labels=labels, help=help)])
