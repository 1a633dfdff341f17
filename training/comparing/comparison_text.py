"""What `cnn compare` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, nan

from ...compiler.report.figures import plural, short
from ...compiler.report.grid import Column, grid
from ...compiler.report.style import ADDED, BOLD, FAINT, REMOVED, Style, laid_out, wrapped
from ...dsl.printable import show
from ..display.number_format import duration, metric
from ..significance.distributions import LEVEL
from .confusion_changes import ClassChange, ConfusionChange, class_changes, confusion_changes
from .contender import Contender
from .differences import Differences, Setting
from .run_comparison import ByMetric, Comparison, Standing, output_of
from .sentences import (
    SINGLE,
    SURE,
    interval_text,
    measured_on,
    odds,
    sentences,
    signed_difference,
)
from .telling_images import Telling, TellingImage, telling_images

_CONFUSIONS = 5
"""Pairs of classes that are listed of each run."""
_FURTHER = 8
"""Further metrics beside one another."""


def comparison_text(comparison: Comparison, differences: Differences, style: Style) -> str:
    contenders = comparison.contenders
    about = ", ".join(dict.fromkeys(filter(None, (each.data.name for each in contenders))))
    count = plural(sum(len(each.runs) for each in contenders), "run")
    on = f" on {about}" if about else ""
    lines = [style.paint(f"{count}{on}: {measured_on(comparison)}", BOLD), ""]
    for by_metric in comparison.decisive:
        lines += [*_results(by_metric, differences, style), ""]
    for sentence in sentences(comparison):
        lines += wrapped(show(sentence), style, code="")
    lines += _further(comparison, style)
    lines += _differences(comparison, differences, style)
    lines += _changes(comparison, style)
    for note in comparison.notes:
        lines += ["", *wrapped(f"Note: {show(note)}.", style)]
    return "\n".join(line.rstrip() for line in lines)


# ---- results -----------------------------------------------------------------------------------


def _results(by_metric: ByMetric, differences: Differences, style: Style) -> list[str]:
    name, standings = by_metric.metric, by_metric.standings
    places = range(len(standings))
    several = any(len(each.values) > 1 for each in standings)

    def own(place: int) -> str:
        each = standings[place]
        return metric(name, each.value) if isfinite(each.value) else "-"

    def spread(place: int) -> str:
        return spread_text(name, standings[place])

    def difference(place: int) -> str:
        return difference_text(name, standings[0], standings[place])

    def by_chance(place: int) -> str:
        against = standings[place].against
        return odds(against) if against is not None else ""

    def cost(figure: Callable[[int], int | None]) -> Callable[[int], str]:
        def cell(place: int) -> str:
            known = figure(place)
            return short(known) if known is not None else ""

        return cell

    def seconds(place: int) -> str:
        known = differences.contenders[place].seconds
        return duration(known) if known is not None else ""

    intervals = f"{100 * LEVEL:.0f} % interval" if not several else "interval, or deviation"
    columns: list[Column[int]] = [
        Column("run", lambda place: show(standings[place].name), least=8, optional=False),
        Column(by_metric.label, own, right=True, optional=False),
        Column(intervals, spread, yields=5),
        Column("against the first", difference, yields=6),
        Column("by chance", by_chance, yields=7),
        Column("params", cost(differences.parameters), True, yields=3),
        Column("MACs", cost(differences.macs), True, yields=2),
        Column("time", seconds, True, yields=1),
    ]
    if not any(map(spread, places)):
        columns = [column for column in columns if column.name != intervals]

    def paint(place: int, column: str) -> str:
        against = standings[place].against
        if column not in ("against the first", "by chance") or against is None:
            return ""
        if not against.p < SURE:
            return FAINT
        better = (standings[place].value > standings[0].value) == by_metric.higher
        return ADDED if better else REMOVED

    return grid([columns], places, style, paint)


def spread_text(name: str, standing: Standing) -> str:
    """The interval of a run, or the deviation of several seeds."""
    if standing.deviation is not None:
        return f"± {signed_difference(name, standing.deviation).lstrip('+')}"
    return interval_text(name, standing.interval)


def difference_text(name: str, first: Standing, other: Standing) -> str:
    """A difference with its interval: `+1.20 points (+0.3 to +2.1)`."""
    if other.against is None or not isfinite(other.value - first.value):
        return ""
    text = signed_difference(name, other.value - first.value)
    tested = other.against.tested
    if tested is None or tested.interval is None:
        return text
    return f"{text} ({interval_text(name, tested.interval, of_difference=True)})"


def _further(comparison: Comparison, style: Style) -> list[str]:
    """The other metrics of all runs, as recorded."""
    names, contenders = comparison.further, comparison.contenders
    lines: list[str] = []
    for start in range(0, len(names), _FURTHER):
        columns: list[Column[int]] = [
            Column("run", lambda place: show(contenders[place].name), least=8, optional=False)
        ]
        columns += [
            Column(name, _recorded(comparison, name), True, yields=1)
            for name in names[start : start + _FURTHER]
        ]
        lines += ["", *grid([columns], range(len(contenders)), style)]
    return lines


def _recorded(comparison: Comparison, name: str) -> Callable[[int], str]:
    def cell(place: int) -> str:
        value = recorded(comparison, place, name)
        return metric(name, value) if isfinite(value) else ""

    return cell


def recorded(comparison: Comparison, place: int, name: str) -> float:
    """What the records of a run say, the mean over its seeds; NaN if that is not known."""
    each = comparison.contenders[place]
    values = [each.metrics(run, comparison.part).get(name, nan) for run in each.runs]
    return sum(values) / len(values)


# ---- what differs ------------------------------------------------------------------------------


def _differences(comparison: Comparison, differences: Differences, style: Style) -> list[str]:
    contenders = comparison.contenders
    lines: list[str] = []
    if differences.settings:
        lines += ["", *_settings(differences, style)]
    for place, each in enumerate(contenders[1:], 1):
        statements, networks = differences.statements(each), differences.networks_line(place)
        if not statements and not networks:
            continue
        head = f"Network of {show(each.name)}"
        lines += ["", *wrapped(f"{head}: {networks}" if networks else head, style, code=BOLD)]
        for statement in statements:
            if statement.before:
                lines += wrapped(f"- {show(statement.before)}", style, "  ", code=REMOVED)
            if statement.now:
                lines += wrapped(f"+ {show(statement.now)}", style, "  ", code=ADDED)
    if len(contenders) > 1 and not lines:
        lines += ["", style.paint("Specs and plans are the same.", FAINT)]
    return lines


def _settings(differences: Differences, style: Style) -> list[str]:
    """What is set differently: a column for each run, or, of many runs, a row."""
    contenders, settings = differences.contenders, differences.settings
    if len(contenders) <= SINGLE:
        columns: list[Column[Setting]] = [
            Column("differs", lambda setting: show(setting.name), optional=False),
            *(
                Column(show(each.name), _value(place), least=6, from_end=True, yields=9 - place)
                for place, each in enumerate(contenders)
            ),
        ]
        return grid([columns], settings, style)
    by_run: list[Column[int]] = [
        Column("run", lambda place: show(contenders[place].name), least=8, optional=False)
    ]
    by_run += [
        Column(show(each.name), _of_run(each), least=6, from_end=True, yields=1)
        for each in settings
    ]
    return grid([by_run], range(len(contenders)), style)


def _of_run(setting: Setting) -> Callable[[int], str]:
    return lambda place: show(setting.values[place]) or "-"


def _value(place: int) -> Callable[[Setting], str]:
    return lambda setting: show(setting.values[place]) or "-"


def _changes(comparison: Comparison, style: Style) -> list[str]:
    """Confusions, classes and images of each run beside the first."""
    lines: list[str] = []
    noun = comparison.noun
    for by_metric in comparison.decisive:
        output = output_of(comparison.first, by_metric.metric)
        for other in _detailed(comparison, by_metric):
            pairs: list[tuple[str, str]] = []
            changes = confusion_changes(comparison.first, other, output)
            better = [each for each in changes if each.now < each.before][:_CONFUSIONS]
            worse = [each for each in changes if each.now > each.before][:_CONFUSIONS]
            pairs += _confusions("confused less", better) + _confusions("confused more", worse)
            if not changes and len(comparison.decisive) == 1:
                pairs += _classes(class_changes(comparison.first, other), style)
            telling = telling_images(comparison.first, other, by_metric.metric)
            if telling is not None and (telling.firsts or telling.others):
                pairs += _telling(telling, comparison.first, other, noun)
            if pairs:
                of = f" ({by_metric.metric})" if len(comparison.decisive) > 1 else ""
                lines += ["", style.paint(f"{show(other.name)}{of}", BOLD), *laid_out(pairs, style)]
    return lines


def _detailed(comparison: Comparison, by_metric: ByMetric) -> Sequence[Contender]:
    """The runs about which more is said: all beside the first, or, of many, the best one."""
    others = comparison.contenders[1:]
    best = by_metric.best
    if len(others) <= SINGLE or best is None:
        return others
    return [each for each in others if each.name == best.name]


def _confusions(what: str, changes: Sequence[ConfusionChange]) -> list[tuple[str, str]]:
    texts = [
        f"{show(each.true)} taken for {show(each.predicted)}: {each.before:.3g} -> {each.now:.3g}"
        for each in changes
    ]
    return [(what, "; ".join(texts))] if texts else []


def _classes(changes: Sequence[ClassChange], style: Style) -> list[tuple[str, str]]:
    texts = []
    for each in changes[:_CONFUSIONS]:
        before, now = metric(each.figure, each.before), metric(each.figure, each.now)
        texts.append(f"{each.figure} of {show(each.name)}: {before} -> {now}")
    return [("changed most", "; ".join(texts))] if texts else []


def _telling(
    telling: Telling, first: Contender, other: Contender, noun: str
) -> list[tuple[str, str]]:
    """How many images tell two runs apart, and which ones most."""
    name = show(first.name)
    if telling.what != "right":
        names = ("it answers better", f"{name} answers better")
    elif first.several or other.several:
        names = ("it has right more often", f"{name} has right more often")
    else:
        names = ("only it has right", f"only {name} has right")
    return [
        (names[0], _images(telling.others, telling.only_other, noun)),
        (names[1], _images(telling.firsts, telling.only_first, noun)),
    ]


def _images(count: int, shown: Sequence[TellingImage], noun: str) -> str:
    names = [show(each.name) for each in shown[:3]]
    more = f" ({', '.join(names)}{', ...' if count > len(names) else ''})" if names else ""
    return f"{plural(count, noun)}{more}"
