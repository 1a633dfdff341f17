"""A comparison as data: each run's results with their intervals, and how sure it is that it differs
from the first.

Two runs are compared image by image: on the same images, much smaller differences can be told
from chance than by two intervals. Runs with several seeds are compared by the results of the seeds:
what is asked then is not whether one network is better than another, but whether one spec is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, isnan, nan
from statistics import fmean, stdev

from ...compiler.plan.loss import IMAGES
from ...compiler.plan.metric_names import is_metric, metric_named
from ...dsl.printable import show
from ..answers.kept_answers import MASKS, NUMBERS, ONE_CLASS, TAGS, KeptAnswers
from ..data.diagnostic import listed, plural_noun
from ..runs.run_differences import SEED, run_changes
from ..significance.intervals import Interval
from ..significance.resampling import BOOTSTRAP
from ..significance.several_tests import holm
from ..significance.tests_of_two import Tested, welch
from .contender import Contender, Kind
from .measures import Measure
from .same_images import Pairing, different_images, labels_are_kept, paired

BEST_METRIC = {
    ONE_CLASS: "top1", TAGS: "map", NUMBERS: "mae", MASKS: "miou", IMAGES: "psnr",
}  # fmt: skip


_FEW = 100
"""With fewer images, a bootstrap finds differences where there are none: of 80 images in 7 of 100
cases, of 20 in 10, instead of in 5."""


class CannotCompare(Exception):
    """The runs answer different questions; the text says which."""


@dataclass(frozen=True)
class Against:
    """A contender beside the first."""

    tested: Tested | None
    """None if they cannot be tested; `reason` says why."""
    reason: str = ""
    p: float = nan
    """The probability by chance alone, corrected for the number of comparisons."""
    at_most: bool = False
    """Whether it may be still smaller, which a bootstrap cannot say."""
    over_seeds: bool = False
    """Whether what varies is the seed, not the images."""


@dataclass(frozen=True)
class Standing:
    """The results of a contender by one metric."""

    name: str
    values: tuple[float, ...]
    """Of each of its runs."""
    interval: Interval | None
    """Of a single run: how much other images of this kind could change it."""
    how: str
    """How the interval is computed."""
    against: Against | None
    """None for the first, which all others are compared with."""

    @property
    def value(self) -> float:
        known = [value for value in self.values if isfinite(value)]
        return fmean(known) if known else nan

    @property
    def deviation(self) -> float | None:
        """Between seeds."""
        known = [value for value in self.values if isfinite(value)]
        return stdev(known) if len(known) > 1 else None


@dataclass(frozen=True)
class ByMetric:
    """All contenders by one metric."""

    metric: str
    label: str
    """As columns name it."""
    title: str
    standings: tuple[Standing, ...]

    @property
    def higher(self) -> bool:
        return metric_named(self.metric).higher

    @property
    def comparisons(self) -> int:
        """How many were tested."""
        return sum(
            each.against is not None and each.against.tested is not None for each in self.standings
        )

    @property
    def best(self) -> Standing | None:
        known = [each for each in self.standings if isfinite(each.value)]
        sign = 1 if self.higher else -1
        return max(known, key=lambda each: sign * each.value, default=None)


@dataclass(frozen=True, eq=False)
class Comparison:
    part: str
    contenders: tuple[Contender, ...]
    kinds: tuple[Kind, ...]
    """What the outputs answer."""
    decisive: tuple[ByMetric, ...]
    """By the metric of each output, or by one that is asked for."""
    further: tuple[str, ...]
    """The other metrics that are recorded."""
    notes: tuple[str, ...]

    @property
    def first(self) -> Contender:
        return self.contenders[0]

    @property
    def noun(self) -> str:
        return self.first.data.noun

    @property
    def images(self) -> int | None:
        """The number of images that all were measured on; None if that differs or is not known."""
        counts = {each.kept.images if each.kept else None for each in self.contenders}
        return counts.pop() if len(counts) == 1 else None


def compared(contenders: Sequence[Contender], part: str, metric: str | None) -> Comparison:
    """Compares runs with the first of them; raises CannotCompare."""
    kinds = _same_kinds(contenders)
    names = _recorded_metrics(contenders, part)
    decisive = _decisive(contenders, kinds, names, metric)
    by_metric = tuple(_by_metric(contenders, part, name) for name in decisive)
    shown = {each.label for each in by_metric}
    further = tuple(name for name in names if name not in shown and is_metric(name))
    return Comparison(
        part, tuple(contenders), kinds, by_metric, further, tuple(_notes(contenders, by_metric))
    )


# ---- what can be compared ----------------------------------------------------------------------


def _same_kinds(contenders: Sequence[Contender]) -> tuple[Kind, ...]:
    first = contenders[0]
    for other in contenders[1:]:
        if not first.data.kinds or not other.data.kinds:
            continue
        reason = _different(first.data.kinds, other.data.kinds)
        if reason:
            raise CannotCompare(
                f"{first.name} and {other.name} cannot be compared: {first.name} answers with"
                f" {reason[0]}, {other.name} with {reason[1]}"
            )
    return next((each.data.kinds for each in contenders if each.data.kinds), ())


def _different(one: Sequence[Kind], other: Sequence[Kind]) -> tuple[str, str] | None:
    if [kind.name for kind in one] != [kind.name for kind in other]:
        return _outputs(one), _outputs(other)
    for left, right in zip(one, other, strict=True):
        if (left.task, left.classes) != (right.task, right.classes):
            return _words(left), _words(right)
    return None


def _outputs(kinds: Sequence[Kind]) -> str:
    if len(kinds) == 1 and not kinds[0].name:
        return f"one output, {_words(kinds[0])}"
    return f"the outputs {listed([show(kind.name) for kind in kinds])}"


_WORDS = {
    ONE_CLASS: "one of", TAGS: "any of", NUMBERS: "numbers:", MASKS: "masks of",
    IMAGES: "images:",
}  # fmt: skip


def _words(kind: Kind) -> str:
    what = listed([show(name) for name in kind.classes], 4)
    if kind.task not in (NUMBERS, IMAGES):
        what = f"{len(kind.classes):,} classes ({what})"
    return f"{_WORDS.get(kind.task, kind.task)} {what}"


def _recorded_metrics(contenders: Sequence[Contender], part: str) -> list[str]:
    names: dict[str, None] = {}
    for each in contenders:
        for run in each.runs:
            names |= dict.fromkeys(each.metrics(run, part))
        for measures in each.measures:
            names |= dict.fromkeys(measures)
    return list(names)


def _decisive(
    contenders: Sequence[Contender], kinds: Sequence[Kind], names: Sequence[str], wanted: str | None
) -> list[str]:
    if wanted is not None:
        if wanted not in names:
            known = listed([show(name) for name in names], 40)
            raise CannotCompare(f"no run has measured `{show(wanted)}`; they have {known}")
        if not is_metric(wanted):
            raise CannotCompare(f"`{wanted}` is a metric of a plug-in: name it, `--plugin FILE`")
        return [wanted]
    found = [
        f"{kind.name}.{BEST_METRIC[kind.task]}" if kind.name else BEST_METRIC[kind.task]
        for kind in kinds
        if kind.task in BEST_METRIC
    ]
    found = [name for name in found if name in names]
    if found or not names:
        return found
    candidates = [contenders[0].run.metric, *names]
    return [next((name for name in candidates if name in names and is_metric(name)), "loss")]


# ---- results -----------------------------------------------------------------------------------


def _by_metric(contenders: Sequence[Contender], part: str, metric: str) -> ByMetric:
    measured = all(metric in own for each in contenders for own in each.measures)
    standings, called = [], set()
    for each in contenders:
        values, interval, how = [], None, ""
        for run, measures in zip(each.runs, each.measures, strict=True):
            recorded = each.metrics(run, part).get(metric, nan)
            values.append(measures[metric].value() if measured else recorded)
        measure = each.measures[0].get(metric)
        if measured and measure is not None:
            called.add((measure.label, measure.title))
            if not each.several:
                interval, how = measure.interval(), measure.how
        standings.append((each, tuple(values), interval, how))
    against = [None, *_against(standings, metric)]
    return ByMetric(
        metric,
        *(called.pop() if len(called) == 1 else (metric, metric_named(metric).title)),
        tuple(
            Standing(each.name, values, interval, how, other)
            for (each, values, interval, how), other in zip(standings, against, strict=True)
        ),
    )


_Row = tuple[Contender, tuple[float, ...], Interval | None, str]


def _against(rows: Sequence[_Row], metric: str) -> list[Against]:
    (first, values, _, _), *others = rows
    found = [_one(first, values, other, own, metric) for other, own, _, _ in others]
    adjusted = holm([each.tested.p if each.tested else nan for each in found])
    return [
        replace(each, p=p, at_most=each.tested is not None and each.tested.at_most)
        for each, p in zip(found, adjusted, strict=True)
    ]


def _one(
    first: Contender,
    values: tuple[float, ...],
    other: Contender,
    own: tuple[float, ...],
    metric: str,
) -> Against:
    if first.several or other.several:
        return _of_seeds(first, values, other, own)
    lacking = next((each.name for each in (first, other) if each.kept is None), None)
    if lacking is not None:
        return Against(None, f"the answers of {lacking} are not known")
    one, two = first.measures[0].get(metric), other.measures[0].get(metric)
    if one is None or two is None or type(one) is not type(two):
        return Against(None, f"`{metric}` is not a mean over images, which a test needs")
    pairing = pairing_of(first, other, output_of(first, metric))
    if isinstance(pairing, str):
        return Against(None, pairing)
    return Against(_tested(one, two, pairing))


def _tested(one: Measure, two: Measure, pairing: Pairing) -> Tested:
    return one.at(pairing.first).test(two.at(pairing.second))


def _of_seeds(
    first: Contender, values: tuple[float, ...], other: Contender, own: tuple[float, ...]
) -> Against:
    if first.kept is not None and other.kept is not None:
        pairing = pairing_of(first, other, 0)
        if isinstance(pairing, str):
            return Against(None, pairing, over_seeds=True)
    known = [[value for value in each if isfinite(value)] for each in (values, own)]
    if not all(known) or sum(map(len, known)) < 3:
        return Against(None, "too few seeds have a result", over_seeds=True)
    return Against(welch(*known), over_seeds=True)


def output_of(contender: Contender, metric: str) -> int:
    """The place of the output that a metric is about."""
    output = metric.rpartition(".")[0]
    names = [kind.name for kind in contender.data.kinds]
    return names.index(output) if output in names else 0


def pairing_of(first: Contender, other: Contender, output: int) -> Pairing | str:
    """The images of two contenders in pairs, or why they cannot be paired."""
    assert first.kept is not None
    assert other.kept is not None
    pairing = paired(first.kept, other.kept, output)
    if isinstance(pairing, str):
        return pairing + _because(first, other, first.kept, other.kept)
    if not labels_are_kept(first.kept.outputs[output]) and _other_data(first, other):
        return f"they were measured on different data:{_other_data(first, other)}"
    return pairing


def _other_data(first: Contender, other: Contender) -> str:
    """The names of their data, if these differ and images have only numbers: these may be those of
    other images."""
    kept = first.kept
    numbered = kept is not None and kept.names and kept.names[0].startswith("#")
    if numbered and first.data.name != other.data.name:
        return f" {first.data.name} and {other.data.name}"
    return ""


def _because(first: Contender, other: Contender, left: KeptAnswers, right: KeptAnswers) -> str:
    """What in the plans has divided the data differently."""
    if not different_images(left, right):
        names = _other_data(first, other)
        return f" (data:{names})" if names else ""
    changed = [
        f"{change.name} is {change.before or 'not there'} and {change.now or 'not there'}"
        for change in run_changes(first.run, other.run)
        if change.name.startswith(("train.split", "train.data"))
    ]
    return f" ({'; '.join(changed)})" if changed else ""


# ---- notes -------------------------------------------------------------------------------------


def _same_but_for_the_seed(first: Contender, other: Contender) -> bool:
    if first.run.plan is None or other.run.plan is None:
        return False
    changes = run_changes(first.run, other.run)
    return bool(changes) and all(change.name == SEED for change in changes)


def _notes(contenders: Sequence[Contender], by_metric: Sequence[ByMetric]) -> list[str]:
    notes = []
    unfinished = [
        f"{show(run.folder.name)} ({show(run.state)})"
        for each in contenders
        for run in each.runs
        if not run.ended
    ]
    if unfinished:
        notes.append(f"not all runs have come to their end: {listed(unfinished)}")
    epochs = {run.epochs for each in contenders for run in each.runs}
    if len(epochs) > 1:
        notes.append(
            f"they were trained for different numbers of epochs ({min(epochs)} to {max(epochs)})"
        )
    if all(_same_but_for_the_seed(contenders[0], each) for each in contenders[1:]):
        notes.append("they differ in nothing but their seed")
    tested = [
        each.against
        for one in by_metric
        for each in one.standings
        if each.against is not None and each.against.tested is not None
    ]
    if any(not each.over_seeds for each in tested):
        notes.append(
            "the tests are about these trained networks on other images of this kind; whether one"
            " spec is better than another is seen with three seeds or more of each"
        )
    few = [t.samples for t in (each.tested for each in tested) if t and t.name == BOOTSTRAP]
    if few and min(few) < _FEW:
        nouns = plural_noun(contenders[0].data.noun)
        notes.append(
            f"{min(few)} {nouns} are few for a bootstrap, whose probabilities are then too small"
        )
    if any(isnan(each.p) for each in tested):
        notes.append("seeds that all give the same result say nothing about chance")
    if any(len(one.standings) > 2 and one.comparisons > 1 for one in by_metric):
        notes.append("probabilities are corrected for the number of comparisons (Holm)")
    return notes
