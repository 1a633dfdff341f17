"""The images that tell runs apart: those that only one of two has right, or answers much better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from ...compiler.plan.metric_names import metric_named
from ..answers.kept_answers import NUMBERS, ONE_CLASS, TAGS, UNKNOWN, KeptAnswers, OutputAnswers
from ..display.number_format import amount, metric
from .contender import Contender
from .measures import Measure, Right
from .run_comparison import BEST_METRIC, output_of, pairing_of

Floats = NDArray[numpy.float64]

MOST = 12
"""Images that are shown for each of two runs."""


class TellingImage(NamedTuple):
    place: int
    """Its place among the images of the first run."""
    id: int
    name: str
    truth: str
    """Its label; empty if that is a mask or an image."""
    first: str
    """The answer of the first run; of several seeds, those of all, or their mean."""
    other: str


class Telling(NamedTuple):
    """The images that tell a run from the first."""

    what: str
    """`right` if images are right or wrong; else the metric of an image."""
    only_first: tuple[TellingImage, ...]
    """That the first has right, or answers better; the clearest ones."""
    only_other: tuple[TellingImage, ...]
    firsts: int
    """How many there are."""
    others: int


def telling_images(first: Contender, other: Contender, metric: str) -> Telling | None:
    """The images that tell a run from the first; None if they are not the same, or not known."""
    if first.kept is None or other.kept is None or not (first.complete and other.complete):
        return None
    output = output_of(first, metric)
    pairing = pairing_of(first, other, output)
    if isinstance(pairing, str):
        return None
    one, two = first.kept.outputs[output], other.kept.outputs[output]
    said_first, said_other = _Said(first, output), _Said(other, output)
    good_first = _goodness(first, output)
    good_other = _goodness(other, output)
    if good_first is None or good_other is None:
        return None
    difference = good_other[pairing.second] - good_first[pairing.first]
    difference = numpy.where(numpy.isfinite(difference), difference, 0.0)
    sure = numpy.minimum(_confidence(one)[pairing.first], _confidence(two)[pairing.second])
    # Of equal differences, those come first of which both networks are sure.
    order = numpy.lexsort((-sure, -numpy.abs(difference)))

    def images(side: Sequence[int]) -> tuple[TellingImage, ...]:
        return tuple(
            _image(first.kept, one, int(pairing.first[at]), said_first, said_other)
            for at in side[:MOST]
            if first.kept is not None
        )

    by_other = [int(at) for at in order if difference[at] > 0]
    by_first = [int(at) for at in order if difference[at] < 0]
    return Telling(
        "right" if one.task == ONE_CLASS else _what(one),
        images(by_first), images(by_other), len(by_first), len(by_other),
    )  # fmt: skip


def _what(output: OutputAnswers) -> str:
    return metric_named(BEST_METRIC[output.task]).title if output.task != TAGS else "likelihood"


def _goodness(contender: Contender, output: int) -> Floats | None:
    """How good the answer to each image is: right or wrong, or as its metric says; of several
    seeds, the mean over them, in the order of the images of the first."""
    total: Floats | None = None
    assert contender.kept is not None
    ids = contender.kept.ids[contender.kept.outputs[output].rows]
    for answers, measures in zip(contender.answers, contender.measures, strict=True):
        assert answers is not None
        measure = _deciding(answers.outputs[output], measures)
        own = answers.ids[answers.outputs[output].rows]
        order, mine = numpy.argsort(own, kind="stable"), numpy.argsort(ids, kind="stable")
        if measure is None or not numpy.array_equal(own[order], ids[mine]):
            return None
        quality = numpy.empty(len(ids))
        quality[mine] = measure.quality[order]
        total = quality if total is None else total + quality
    return None if total is None else total / len(contender.answers)


def _deciding(output: OutputAnswers, measures: dict[str, Measure]) -> Measure | None:
    prefix = f"{output.name}." if output.name else ""
    best = f"{prefix}{BEST_METRIC[output.task]}"
    return measures.get(best) or next(
        (each for each in measures.values() if isinstance(each, Right)), None
    )


def _confidence(output: OutputAnswers) -> Floats:
    if output.task == ONE_CLASS:
        return output.arrays["shares"][:, 0].astype(numpy.float64)
    return numpy.zeros(len(output.rows))


class _Said:
    """What a run answers to images, which are named by their identity."""

    def __init__(self, contender: Contender, output: int) -> None:
        self._seeds: list[tuple[OutputAnswers, dict[int, int]]] = []
        for answers in contender.answers:
            assert answers is not None
            own = answers.outputs[output]
            ids = answers.ids[own.rows].tolist()
            self._seeds.append((own, {id: place for place, id in enumerate(ids)}))

    def text(self, identity: int) -> str:
        places = [(output, known[identity]) for output, known in self._seeds if identity in known]
        if len(places) == 1:
            return answer_text(*places[0])
        output = places[0][0]
        if output.task == ONE_CLASS:
            counts = Counter(own.classes[int(own.predicted[place])] for own, place in places)
            return ", ".join(
                f"{times} times {name}" if times > 1 else name
                for name, times in counts.most_common()
            )
        name = next((name for name in ("numbers", "score") if name in output.arrays), "")
        if not name:
            return answer_text(*places[0])
        values = numpy.mean([own.arrays[name][place] for own, place in places], axis=0)
        merged = replace(output, arrays={name: values[None]})
        return f"{answer_text(merged, 0)} on average"


def _image(
    kept: KeptAnswers, output: OutputAnswers, place: int, first: _Said, other: _Said
) -> TellingImage:
    own = int(output.rows[place])
    identity = int(kept.ids[own])
    return TellingImage(
        own, identity, kept.name(own), _truth(output, place), first.text(identity),
        other.text(identity),
    )  # fmt: skip


def _truth(output: OutputAnswers, place: int) -> str:
    arrays = output.arrays
    if output.task == ONE_CLASS:
        return output.classes[int(arrays["label"][place])]
    if output.task == TAGS and "present" in arrays:
        return _tags(output, arrays["present"][place] == 1, arrays["present"][place] == UNKNOWN)
    if output.task == NUMBERS and "truth" in arrays:
        return _numbers(output, arrays["truth"][place])
    return ""


def answer_text(output: OutputAnswers, place: int) -> str:
    """What a run answers to an image."""
    arrays = output.arrays
    if output.task == ONE_CLASS:
        share = 100 * float(arrays["shares"][place, 0])
        return f"{output.classes[int(output.predicted[place])]} {share:.1f} %"
    if output.task == TAGS:
        if "logits" not in arrays:
            return "right" if arrays["exact"][place] else "wrong"
        with numpy.errstate(over="ignore"):
            shares = 1 / (1 + numpy.exp(-arrays["logits"][place].astype(numpy.float64)))
        return _tags(output, shares >= numpy.array(output.thresholds or [0.5] * len(shares)))
    if output.task == NUMBERS:
        if "numbers" not in arrays:
            return f"error {amount(float(arrays['error'][place]))}"
        return _numbers(output, arrays["numbers"][place])
    name = BEST_METRIC[output.task]
    return f"{metric_named(name).title} {metric(name, float(arrays['score'][place]))}"


def _tags(
    output: OutputAnswers,
    there: NDArray[numpy.bool_],
    unknown: NDArray[numpy.bool_] | None = None,
) -> str:
    names = [name for name, has in zip(output.classes, there, strict=True) if has]
    if unknown is not None:
        names += [f"{n}?" for n, has in zip(output.classes, unknown, strict=True) if has]
    return ", ".join(names) or "none"


def _numbers(output: OutputAnswers, values: NDArray[numpy.generic]) -> str:
    each = [float(value) for value in values.astype(numpy.float64)]
    if len(each) == 1:
        return amount(each[0])
    pairs = zip(output.classes, each, strict=True)
    return ", ".join(f"{name} {amount(value)}" for name, value in pairs)
