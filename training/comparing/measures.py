"""The metrics that can be compared image by image, of each kind of answer: their value, their
confidence interval, and the test of two runs on the same images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import nan, sqrt
from typing import ClassVar, Self

import numpy
from numpy.typing import NDArray

from ...compiler.plan.loss import IMAGES
from ...compiler.plan.metric_names import metric_named
from ..answers.kept_answers import (
    BEST,
    MASKS,
    NUMBERS,
    ONE_CLASS,
    TAGS,
    UNKNOWN,
    OutputAnswers,
)
from ..significance.distributions import t_of
from ..significance.intervals import Interval, wilson
from ..significance.resampling import (
    bootstrap_test,
    of_images,
    of_means,
    percentiles,
    resamples,
)
from ..significance.tests_of_two import Tested, mcnemar, paired_t

Floats = NDArray[numpy.float64]
Places = NDArray[numpy.int64]

_OF_RANKINGS = 2_000
"""Resamples at most, each of which is ranked again."""


@dataclass(frozen=True, eq=False)
class Measure(ABC):
    """A metric with what every image contributes to it."""

    how: ClassVar[str]
    """How its interval is computed."""

    metric: str
    """Its name, with that of the output before it if there are several."""
    values: Floats
    """Images, or images x columns; NaN where an image does not count."""

    @property
    def title(self) -> str:
        return metric_named(self.metric).title

    @property
    def label(self) -> str:
        """As columns name it: another name than the metric where it is not the same figure."""
        return self.metric

    @abstractmethod
    def value(self) -> float: ...

    @abstractmethod
    def interval(self) -> Interval | None: ...

    @abstractmethod
    def test(self, second: Self) -> Tested:
        """The test of this, the first, against the second, whose images are the same."""

    def at(self, places: Places) -> Self:
        """The same measure of these images, in this order."""
        if numpy.array_equal(places, numpy.arange(len(self.values))):
            return self  # with what it has computed already
        return self._at(places)

    def _at(self, places: Places) -> Self:
        return type(self)(self.metric, self.values[places])

    @property
    def quality(self) -> Floats:
        """How good the answer to each image is, larger for better ones."""
        values = self.values if self.values.ndim == 1 else _mean_of_known(self.values, 1)
        return values if metric_named(self.metric).higher else -values


class Right(Measure):
    """A share of images that are right: top-1 accuracy."""

    how = "Wilson's interval"

    def value(self) -> float:
        return float(self.values.mean()) if len(self.values) else nan

    def interval(self) -> Interval | None:
        return wilson(self.value(), len(self.values)) if len(self.values) else None

    def test(self, second: Self) -> Tested:
        first, other = self.values > 0.5, second.values > 0.5
        return mcnemar(int((first & ~other).sum()), int((other & ~first).sum()), max(1, len(first)))


class Mean(Measure):
    """A mean over images: the loss, an error, PSNR."""

    how = "interval by Student's t"

    def value(self) -> float:
        known = self._known
        return float(known.mean()) if len(known) else nan

    def interval(self) -> Interval | None:
        known = self._known
        if len(known) < 2:
            return None
        half = t_of(len(known) - 1) * float(known.std(ddof=1)) / sqrt(len(known))
        return Interval(self.value() - half, self.value() + half)

    def test(self, second: Self) -> Tested:
        differences = second.values - self.values
        return paired_t(differences[numpy.isfinite(differences)])

    @property
    def _known(self) -> Floats:
        return self.values[numpy.isfinite(self.values)]


class _Resampled(Measure):
    """A metric of all images together, whose spread is found by drawing images again."""

    how = "bootstrap interval"

    @cached_property
    def resampled(self) -> Floats:
        """Its value on each resample, the same ones for all runs."""
        return self._resampled()

    @abstractmethod
    def _resampled(self) -> Floats: ...

    def interval(self) -> Interval | None:
        return percentiles(self.resampled) if len(self.values) > 1 else None

    def test(self, second: Self) -> Tested:
        difference = second.value() - self.value()
        return bootstrap_test(difference, second.resampled - self.resampled, len(self.values))


class MaskScore(_Resampled):
    """The mean over images of the mean IoU of each. The metric of a report is that of all pixels
    together, in which large objects count more."""

    @property
    def title(self) -> str:
        return f"{super().title} of an image"

    @property
    def label(self) -> str:
        return f"{self.metric}/image"

    def value(self) -> float:
        return float(_mean_of_known(self.values, 0))

    def _resampled(self) -> Floats:
        times = resamples(len(self.values))
        return of_means(self.values[:, None], lambda means: means[:, 0], times)


class RootMeanSquare(_Resampled):
    """The mean over the numbers of their root mean squared error; `values` are squares."""

    def value(self) -> float:
        return float(numpy.sqrt(_mean_of_known(self.values, 0)).mean())

    def _resampled(self) -> Floats:
        def mean_of_roots(means: Floats) -> Floats:
            return _mean_of_known(numpy.sqrt(means), 1)

        times = resamples(len(self.values), self.values.shape[1])
        return of_means(self.values, mean_of_roots, times)


@dataclass(frozen=True, eq=False)
class AveragePrecision(_Resampled):
    """Mean average precision; `values` are logits, NaN where it is not known whether an image has
    a class."""

    present: NDArray[numpy.bool_]

    def _at(self, places: Places) -> Self:
        return type(self)(self.metric, self.values[places], self.present[places])

    def value(self) -> float:
        return self._of(numpy.arange(len(self.values)))

    def _resampled(self) -> Floats:
        images, classes = self.values.shape
        times = min(_OF_RANKINGS, resamples(images, 20 * classes))
        return of_images(images, self._of, times)

    def _of(self, drawn: Places) -> float:
        logits, present = self.values[drawn], self.present[drawn]
        scores = [
            average_precision(logits[:, each], present[:, each])
            for each in range(logits.shape[1])
            if present[:, each].any()
        ]
        return float(numpy.mean(scores)) if scores else nan

    @property
    def quality(self) -> Floats:
        """The mean log-likelihood of the tags of each image."""
        signed = numpy.where(self.present, self.values, -self.values)
        return _mean_of_known(-numpy.logaddexp(0.0, -signed), 1)


def average_precision(scores: Floats, present: NDArray[numpy.bool_]) -> float:
    """The area under the steps of precision against recall; equal scores are one step."""
    known = numpy.isfinite(scores)
    order = numpy.argsort(-scores[known], kind="stable")
    ranked, hits = scores[known][order], present[known][order]
    if not hits.any():
        return 0.0
    ends = numpy.append(numpy.flatnonzero(numpy.diff(ranked)), len(ranked) - 1)
    found = hits.cumsum()[ends]
    precision = found / (ends + 1)
    return float((precision * numpy.diff(found, prepend=0)).sum() / found[-1])


def _mean_of_known(values: Floats, axis: int) -> Floats:
    """Means that leave NaN out; NaN where nothing is known."""
    known = numpy.isfinite(values)
    counts = known.sum(axis)
    sums: Floats = numpy.where(known, values, 0.0).sum(axis)
    return numpy.where(counts > 0, sums / numpy.maximum(counts, 1), nan)


# ---- of each kind of answer --------------------------------------------------------------------


def measures_of(output: OutputAnswers) -> list[Measure]:
    """The measures of an output; the first is that by which networks are chosen."""
    prefix = f"{output.name}." if output.name else ""
    return list(_MEASURES[output.task](output, prefix))


def _of_classes(output: OutputAnswers, prefix: str) -> Iterator[Measure]:
    ranks = output.arrays["rank"].astype(numpy.int64)
    yield Right(f"{prefix}top1", _floats(ranks == 0))
    if len(output.classes) > BEST:
        yield Right(f"{prefix}top5", _floats(ranks < BEST))
    yield Mean(f"{prefix}loss", _floats(output.arrays["loss"]))


def _of_tags(output: OutputAnswers, prefix: str) -> Iterator[Measure]:
    if "exact" in output.arrays:
        yield Right(f"{prefix}top1", _floats(output.arrays["exact"]))
        return
    logits, present = _floats(output.arrays["logits"]), output.arrays["present"]
    known = present != UNKNOWN
    yield AveragePrecision(f"{prefix}map", numpy.where(known, logits, nan), (present == 1) & known)
    thresholds = numpy.array(output.thresholds or [0.5] * len(output.classes))
    with numpy.errstate(divide="ignore"):
        edges = numpy.log(thresholds) - numpy.log1p(-thresholds)
    right = ((logits >= edges) == (present == 1)) | ~known
    yield Right(f"{prefix}top1", _floats(right.all(1)))


def _of_numbers(output: OutputAnswers, prefix: str) -> Iterator[Measure]:
    if "error" in output.arrays:
        yield Mean(f"{prefix}mae", _floats(output.arrays["error"]))
        return
    errors = _floats(output.arrays["numbers"]) - _floats(output.arrays["truth"])
    yield Mean(f"{prefix}mae", _each_as_a_share(numpy.abs(errors)))
    yield RootMeanSquare(f"{prefix}rmse", errors**2)


def _each_as_a_share(errors: Floats) -> Floats:
    """What each image contributes to the mean over numbers of their mean errors: where numbers are
    missing, those that are there count more, so that the mean over images is that metric."""
    known = numpy.isfinite(errors)
    counts = known.sum(0)
    there = counts > 0
    shares = numpy.where(known, errors, 0.0)[:, there] * (len(errors) / counts[there])
    any_known = known.any(1)
    scale = any_known.sum() / max(1, len(errors))
    values: Floats = shares.mean(1) * scale if there.any() else numpy.full(len(errors), nan)
    return numpy.where(any_known, values, nan)


def _of_masks(output: OutputAnswers, prefix: str) -> Iterator[Measure]:
    yield MaskScore(f"{prefix}miou", _floats(output.arrays["score"]))


def _of_images(output: OutputAnswers, prefix: str) -> Iterator[Measure]:
    yield Mean(f"{prefix}psnr", _floats(output.arrays["score"]))


def _floats(array: NDArray[numpy.generic]) -> Floats:
    return array.astype(numpy.float64)


_MEASURES = {
    ONE_CLASS: _of_classes,
    TAGS: _of_tags,
    NUMBERS: _of_numbers,
    MASKS: _of_masks,
    IMAGES: _of_images,
}
