"""What a comparison says in plain sentences: which is better, by how much, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite, isnan

from ...compiler.plan.metric_names import is_metric, metric_named
from ...compiler.report.figures import plural
from ..data.diagnostic import listed, plural_noun
from ..display.number_format import amount, is_share, loss, metric
from ..significance.intervals import Interval
from .run_comparison import Against, ByMetric, Comparison, Standing
from .same_images import PARTS

SURE = 0.05
"""Below this probability by chance, a difference counts as one."""


SINGLE = 6
"""With more runs beside the first, one sentence is about all of them."""


def sentences(comparison: Comparison) -> Iterator[str]:
    """A sentence about each run beside the first, by each decisive metric; or, if these are many,
    about all together."""
    for by_metric in comparison.decisive:
        first, *others = by_metric.standings
        if len(others) > SINGLE:
            yield _of_all(by_metric, first, others)
            continue
        for other in others:
            yield sentence(by_metric, first, other, comparison.noun)


def sentence(by_metric: ByMetric, first: Standing, other: Standing, noun: str) -> str:
    name, against, label = by_metric.metric, other.against, by_metric.label
    if against is None or not (isfinite(first.value) and isfinite(other.value)):
        return f"{label} of {first.name if isnan(first.value) else other.name} is not known."
    difference = other.value - first.value
    apart = f"{label} {metric(name, other.value)} against {metric(name, first.value)}"
    if against.tested is None or isnan(against.p):
        reason = against.reason or "chance cannot be told from results that do not vary"
        return f"{other.name} and {first.name} cannot be tested: {reason}. ({apart})"
    if not difference:
        return (
            f"{other.name} and {first.name} are equally good: {name} {metric(name, first.value)}."
        )
    if against.p >= SURE:
        return (
            f"{other.name} and {first.name} cannot be told apart: {label} differs by"
            f" {size_of(name, difference)}, and by chance alone a difference as large comes"
            f" {chance(against)}{_evidence(against, first, other, noun)}."
        )
    better, worse = (other, first) if (difference > 0) == by_metric.higher else (first, other)
    return (
        f"{better.name} is better than {worse.name} by {size_of(name, difference)}"
        f" {label}; by chance alone a difference as large comes {chance(against)}"
        f"{_evidence(against, first, other, noun)}."
    )


def _of_all(by_metric: ByMetric, first: Standing, others: Sequence[Standing]) -> str:
    """How many are better than the first, and which is the best."""
    sure = [each for each in others if each.against is not None and each.against.p < SURE]
    better = [each for each in sure if (each.value > first.value) == by_metric.higher]
    untested = [each for each in others if each.against is None or isnan(each.against.p)]
    counts = [(len(better), "better"), (len(sure) - len(better), "worse")]
    counts.append((len(others) - len(sure) - len(untested), "not to be told apart from it"))
    counts.append((len(untested), "not tested"))
    parts = listed([f"{count:,} {'is' if count == 1 else 'are'} {what}" for count, what in counts
                    if count])  # fmt: skip
    best, name = by_metric.best, by_metric.metric
    if best is None:
        return f"{by_metric.label} is not known."
    value = metric(name, best.value)
    whose = f"{best.name} has the best {by_metric.label}, {value}"
    if best.against is not None and best.against.p < SURE:
        apart = size_of(name, best.value - first.value)
        whose += f": {apart} from {first.name}, which comes {chance(best.against)} by chance alone"
    return f"{whose}. Beside {first.name}, {parts}."


def _evidence(against: Against, first: Standing, other: Standing, noun: str) -> str:
    """What the test has counted."""
    tested = against.tested
    assert tested is not None
    if against.over_seeds:
        counts = f"{len(other.values)} and {len(first.values)}"
        return f" ({tested.name} over {counts} seeds)"
    if any(tested.counts) or tested.name.startswith("McNemar"):
        only_first, only_second = tested.counts
        return (
            f" ({tested.name}: {plural(only_second, noun)} only {other.name} has right,"
            f" {only_first:,} only {first.name})"
        )
    return f" ({tested.name} on {plural(tested.samples, noun)})"


def chance(against: Against) -> str:
    """How often a difference as large comes by chance: `once in 40 times`."""
    if against.p >= 0.995:
        return "nearly always"
    if against.p >= _OFTEN:
        return f"{round(100 * against.p)} times in 100"
    if against.p < _SELDOM:
        return "less than once in a million times"
    less = "less than " if against.at_most else ""
    return f"{less}once in {_times(against.p):,} times"


def odds(against: Against) -> str:
    """The same in short: `1 in 40`; empty if it is not known."""
    if not isfinite(against.p):
        return ""
    if against.p >= _OFTEN:
        return f"{min(99, round(100 * against.p))} in 100"
    if against.p < _SELDOM:
        return "< 1 in 1,000,000"
    return f"{'< ' if against.at_most else ''}1 in {_times(against.p):,}"


_OFTEN, _SELDOM = 0.1, 1e-6


def _times(p: float) -> int:
    """Of how many times it happens once, in two digits."""
    digits: int = 10 ** max(0, len(str(int(1 / p))) - 2)
    return round(1 / p / digits) * digits


def size_of(name: str, difference: float) -> str:
    """The size of a difference, without its sign: `1.20 points`, `0.31 dB`."""
    return signed_difference(name, abs(difference)).lstrip("+")


def signed_difference(name: str, difference: float) -> str:
    """`+1.20 points`, `-0.0123`, `+0.31 dB`."""
    known = metric_named(name) if is_metric(name) else None
    sign = "+" if difference >= 0 else "-"
    size = abs(difference)
    if is_share(name):
        return f"{sign}{100 * size:.2f} points"
    if known is not None and known.unit:
        return f"{sign}{size:.2f} {known.unit}"
    return f"{sign}{amount(size) if known is not None and known.in_units else loss(size)}"


def interval_text(name: str, interval: Interval | None, *, of_difference: bool = False) -> str:
    """`86.1 to 92.4`; of a difference, with signs."""
    if interval is None:
        return ""
    return " to ".join(_end(name, each, of_difference) for each in interval)


def _end(name: str, value: float, signed: bool) -> str:
    if is_share(name):
        return f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"
    known = metric_named(name) if is_metric(name) else None
    if known is not None and known.unit:
        return f"{value:+.2f}" if signed else f"{value:.2f}"
    text = amount(abs(value)) if known is not None and known.in_units else loss(abs(value))
    sign = ("-" if value < 0 else "+" if signed else "") if value else ""
    return f"{sign}{text}"


def measured_on(comparison: Comparison) -> str:
    """`359 validation images`."""
    part = PARTS[comparison.part]
    if comparison.images is None:
        return f"{part} {plural_noun(comparison.noun)}"
    return plural(comparison.images, f"{part} {comparison.noun}")
