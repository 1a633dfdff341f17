"""The page of `cnn compare -o`: results with intervals, curves over each other, cost against
accuracy, what differs, confusions that changed, and images that only one run has right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Protocol

from ...compiler.plan.metric_names import is_metric, metric_named
from ...compiler.report.figures import plural, short
from ...compiler.report.style import Style
from ..answers.kept_answers import ONE_CLASS
from ..data.diagnostic import in_nouns, plural_noun
from ..display.number_format import amount, duration, is_share, metric
from ..page.document import document
from ..page.markup import Html, details, element, escape, joined, scrolling, section, table
from ..page.network import drawing
from ..runs.run_facts import RunFacts
from .comparison_text import difference_text, recorded, spread_text
from .confusion_changes import SHOWN, class_changes, confusion_changes
from .contender import Contender
from .cost_scatter import CostPoint, cost_scatter, is_point, usable
from .differences import Differences
from .overlaid_curves import curve_of, overlaid
from .page_style import COMPARISON_STYLE
from .run_comparison import ByMetric, Comparison, Standing, output_of
from .sentences import SURE, measured_on, odds, sentences
from .telling_images import Telling, TellingImage, telling_images

_LARGEST_MATRIX = 20
"""With more classes, the changes of confusions are not shown as a matrix."""
_OPEN = 3
"""With more runs, their sections are folded."""
_CLASSES = 12


class Pictures(Protocol):
    """Where pictures of images come from."""

    def picture(self, identity: int, alt: str) -> Html | None: ...


@dataclass(frozen=True, eq=False)
class _Page:
    comparison: Comparison
    differences: Differences
    pictures: Pictures | None

    @property
    def contenders(self) -> tuple[Contender, ...]:
        return self.comparison.contenders

    @property
    def first(self) -> Contender:
        return self.comparison.first

    @property
    def others(self) -> list[tuple[int, Contender]]:
        return list(enumerate(self.contenders))[1:]

    @property
    def nouns(self) -> str:
        return plural_noun(self.comparison.noun)

    def named(self, place: int) -> Html:
        """The name of a run, after its color."""
        return Html(f"{_key(place)}{escape(self.contenders[place].name)}")

    def beside(self, about: Callable[[int, Contender], Html | None]) -> list[Html]:
        """What there is about each run beside the first, each under its name."""
        found = [(place, about(place, other)) for place, other in self.others]
        known = [(place, content) for place, content in found if content is not None]
        if len(known) <= _OPEN:
            return [joined([element("h3", self.named(place)), content]) for place, content in known]
        return [
            element("details", element("summary", self.named(place)), content)
            for place, content in known
        ]


def comparison_page(
    comparison: Comparison, differences: Differences, pictures: Pictures | None
) -> str:
    """The HTML of the page."""
    page = _Page(comparison, differences, pictures)
    sections = [
        _results(page),
        _curves(page),
        _costs(page),
        _differences(page),
        _confusions(page),
        _images(page),
        _runs(page),
    ]
    about = ", ".join(dict.fromkeys(filter(None, (each.data.name for each in page.contenders))))
    subtitle = f"{measured_on(comparison)}{f' of {about}' if about else ''}"
    count = sum(len(each.runs) for each in page.contenders)
    foot = "Written by dotcnn. This page is self-contained: it loads nothing from the internet."
    return document(
        f"Comparison of {plural(count, 'run')}",
        subtitle[:1].upper() + subtitle[1:],
        [each for each in sections if each is not None],
        foot,
        style=COMPARISON_STYLE,
    )


def _key(place: int) -> Html:
    """The line of a run, as in charts."""
    return Html(
        f'<svg class="key r{place}" viewBox="0 0 27 11" aria-hidden="true">'
        '<path d="M0,5.5H27"/></svg>'
    )


# ---- results -----------------------------------------------------------------------------------


def _results(page: _Page) -> Html:
    said = [element("li", sentence) for sentence in sentences(page.comparison)]
    notes = [element("p", f"{note[:1].upper()}{note[1:]}.", class_="faint")
             for note in page.comparison.notes]  # fmt: skip
    parts = [element("ul", *said, class_="said")]
    for by_metric in page.comparison.decisive:
        if len(page.comparison.decisive) > 1:
            parts.append(element("h3", _title(by_metric.title, page)))
        parts.append(_table_of(page, by_metric))
    return section("results", "Results", *parts, *notes, _further(page))


def _table_of(page: _Page, by_metric: ByMetric) -> Html:
    standings = by_metric.standings
    spans = [_span(each) for each in standings]
    known = [end for span in spans for end in span if isfinite(end)]
    ends = (min(known), max(known)) if known else (0.0, 1.0)
    several = any(len(each.values) > 1 for each in standings)
    spread = "interval, deviation" if several else "95 % interval"
    head = [
        "run", in_nouns(by_metric.label, page.comparison.noun), "", spread,
        "against the first", "by chance", "params", "MACs", "time",
    ]  # fmt: skip
    rows = []
    for place, each in enumerate(standings):
        rows.append(
            [
                page.named(place),
                metric(by_metric.metric, each.value) if isfinite(each.value) else "",
                _forest(place, each, ends),
                spread_text(by_metric.metric, each),
                _difference(by_metric, standings[0], each),
                odds(each.against) if each.against is not None else "",
                _count(page.differences.parameters(place)),
                _count(page.differences.macs(place)),
                duration(page.contenders[place].seconds or 0.0)
                if page.contenders[place].seconds is not None
                else "",
            ]
        )
    return table(f"Results by {by_metric.title}", head, rows)


def _span(standing: Standing) -> tuple[float, float]:
    """From where to where a result reaches: its interval, or that of its seeds."""
    if standing.interval is not None:
        return standing.interval
    return min(standing.values), max(standing.values)


def _forest(place: int, standing: Standing, ends: tuple[float, float]) -> Html:
    """The interval of a run as a line with a point, on the scale of all runs."""
    if not isfinite(standing.value) or ends[0] == ends[1]:
        return Html("")

    def at(value: float) -> str:
        return f"{6 + 132 * (value - ends[0]) / (ends[1] - ends[0]):.1f}"

    low, high = _span(standing)
    seeds = [
        f'<circle class="seed" cx="{at(value)}" cy="9" r="2.6"/>'
        for value in standing.values
        if len(standing.values) > 1 and isfinite(value)
    ]
    return Html(
        f'<svg class="forest" viewBox="0 0 144 18" aria-hidden="true"><g class="run r{place}">'
        f'<line class="whisker" x1="{at(low)}" x2="{at(high)}" y1="9" y2="9"/>{"".join(seeds)}'
        f'<circle class="point" cx="{at(standing.value)}" cy="9" r="4"/></g></svg>'
    )


def _difference(by_metric: ByMetric, first: Standing, other: Standing) -> str:
    """The difference, in color if it is hardly chance."""
    text = difference_text(by_metric.metric, first, other)
    figure, between, interval = text.partition(" (")
    text = figure + between + interval.replace(" ", "\N{NO-BREAK SPACE}")
    against = other.against
    if against is None or not against.p < SURE:
        return text
    better = (other.value > first.value) == by_metric.higher
    return element("span", text, class_=f"sure {'better' if better else 'worse'}")


def _count(number: int | None) -> str:
    return short(number) if number is not None else ""


def _further(page: _Page) -> Html | str:
    names = page.comparison.further
    if not names:
        return ""
    rows = []
    for place in range(len(page.contenders)):
        values = [recorded(page.comparison, place, name) for name in names]
        rows.append(
            [
                page.named(place),
                *(
                    metric(name, value) if isfinite(value) else ""
                    for name, value in zip(names, values, strict=True)
                ),
            ]
        )
    return details("All metrics", table("All metrics", ["run", *names], rows))


def _title(title: str, page: _Page) -> str:
    text = in_nouns(title, page.comparison.noun)
    return text[:1].upper() + text[1:]


# ---- curves ------------------------------------------------------------------------------------


def _curves(page: _Page) -> Html | None:
    lines = [_lines_of(each.runs) for each in page.contenders]
    charts = []
    for part, name in _names_of_curves(page, lines):
        drawn = [
            curve_of(place, each.name, [_values(seed, part, name) for seed in lines[place]])
            for place, each in enumerate(page.contenders)
        ]
        curves = [curve for curve in drawn if curve is not None]
        if not curves:
            continue
        title = metric_named(name).title if is_metric(name) else name
        heading = f"{_title(title, page)}, {'validation' if part == 'val' else 'training'}"
        chart = overlaid(heading, curves, partial(_axis, name))
        charts.append(element("div", element("h3", heading), chart))
    if not charts:
        return None
    about = "From the first epoch on; axes have the range of the values, and do not start at zero."
    if any(each.several or each.run.members for each in page.contenders):
        about += " A band reaches from the lowest to the highest of several seeds, or folds."
    boxes = [
        Html(
            f'<label class="r{place}"><input type="checkbox" id="show{place}" checked>'
            f"{page.named(place)}</label>"
        )
        for place in range(len(page.contenders))
    ]
    keys = Html(f'<fieldset class="keys"><legend>Show</legend>{joined(boxes)}</fieldset>')
    return section(
        "curves", "Curves", keys, element("div", *charts, class_="charts"),
        element("p", about, class_="faint"),
    )  # fmt: skip


_Lines = Sequence[Mapping[str, object]]


def _lines_of(runs: Sequence[RunFacts]) -> list[_Lines]:
    """The epochs of each run; of an ensemble and of a cross-validation, those of its networks."""
    each = (member for run in runs for member in (run.members or (run,)))
    return [run.epoch_lines() for run in each]


def _names_of_curves(page: _Page, lines: Sequence[Sequence[_Lines]]) -> Iterator[tuple[str, str]]:
    """The metrics of curves with their part: those that decide first, then the losses."""
    there: dict[tuple[str, str], None] = {}
    for seeds in lines:
        for seed in seeds:
            for line in seed:
                for part in ("val", "train"):
                    values = line.get(part)
                    if isinstance(values, Mapping):
                        there |= dict.fromkeys((part, str(name)) for name in values)
    decisive = [("val", each.metric) for each in page.comparison.decisive]
    wanted = [*decisive, ("val", "loss"), ("train", "loss")]
    yield from (each for each in dict.fromkeys(wanted) if each in there)
    yield from (
        each for each in there if each not in wanted and each[0] == "val" and is_metric(each[1])
    )


def _values(lines: _Lines, part: str, name: str) -> dict[int, float]:
    """The values of a metric by epoch; what is before training is not shown."""
    found = {}
    for line in lines:
        values, epoch = line.get(part), line.get("epoch")
        value = values.get(name) if isinstance(values, Mapping) else None
        if isinstance(epoch, int) and epoch and isinstance(value, int | float):
            found[epoch] = float(value)
    return found


def _axis(name: str, value: float) -> str:
    return f"{100 * value:.4g} %" if is_share(name) else f"{value:.4g}"


# ---- cost --------------------------------------------------------------------------------------


def _costs(page: _Page) -> Html | None:
    charts = []
    for by_metric in page.comparison.decisive:
        for title, cost, write in (
            ("multiply-adds", page.differences.macs, short),
            ("parameters", page.differences.parameters, short),
            ("seconds of training", lambda place: page.contenders[place].seconds, amount),
        ):
            points = []
            for place, each in enumerate(by_metric.standings):
                known = cost(place)
                if known is not None and is_point(known, each.value):
                    ends = [end if isfinite(end) else each.value for end in _span(each)]
                    points.append(CostPoint(place, each.name, float(known), each.value, *ends))
            if not usable(points):
                continue

            def written(number: float, write: Callable[..., str] = write) -> str:
                return write(round(number)) if write is short else f"{number:.3g}"

            name = in_nouns(by_metric.label, page.comparison.noun)
            drawn = cost_scatter(
                f"{name} over {title}", points, (title, name), written,
                partial(_axis, by_metric.metric),
            )  # fmt: skip
            charts.append(element("div", element("h3", f"{name} over {title}"), drawn))
    if not charts:
        return None
    about = "Costs are on a logarithmic axis; lines are the intervals of the table above."
    return section(
        "cost", "Cost against accuracy", element("div", *charts, class_="charts"),
        element("p", about, class_="faint"),
    )  # fmt: skip


# ---- what differs ------------------------------------------------------------------------------


def _differences(page: _Page) -> Html:
    settings = page.differences.settings
    parts: list[Html] = []
    if settings:
        head = ["", *(page.named(place) for place in range(len(page.contenders)))]
        rows = [
            element(
                "tr",
                element("th", element("code", setting.name), scope="row"),
                *(
                    element(
                        "td", value or "-", class_="other" if value != setting.values[0] else None
                    )
                    for value in setting.values
                ),
            )
            for setting in settings
        ]
        parts.append(
            scrolling(
                "What differs",
                element(
                    "table",
                    element("caption", "What differs", class_="hidden"),
                    element("thead", element("tr", *(element("th", each, scope="col")
                                                     for each in head))),
                    element("tbody", joined(rows)),
                ),
            )
        )  # fmt: skip
    parts += page.beside(partial(_network, page))
    if not parts:
        parts.append(element("p", "Specs and plans are the same."))
    return section("differences", "What differs", *parts)


def _network(page: _Page, place: int, other: Contender) -> Html | None:
    statements = page.differences.statements(other)
    line, text = page.differences.networks_line(place), page.differences.networks_text(
        place, Style(width=110)
    )  # fmt: skip
    if not statements and not line:
        return None
    lines = []
    for each in statements:
        lines += [element("span", f"- {each.before}", class_="minus")] if each.before else []
        lines += [element("span", f"+ {each.now}", class_="plus")] if each.now else []
    said = f"The network has {line}." if line else "The networks have the same layers."
    return joined(
        [
            element("p", said),
            element("pre", joined(lines)) if lines else Html(""),
            details("Layer by layer", Html(f"<pre>{_plain(text)}</pre>")) if text else Html(""),
            _drawn(page, place) if line and len(page.others) <= _OPEN else Html(""),
        ]
    )


def _drawn(page: _Page, place: int) -> Html:
    """The two networks beside one another."""
    drawn = []
    for at in (0, place):
        analysis = page.differences.analyses[at]
        if analysis is not None:
            image = drawing(analysis, "what differs is listed above")
            drawn.append(element("div", element("h4", page.named(at)), image))
    return details("Both networks, drawn", element("div", *drawn, class_="charts"))


def _plain(text: str) -> str:
    """Text of several lines, each escaped."""
    return "\n".join(escape(line) for line in text.splitlines())


# ---- confusions --------------------------------------------------------------------------------


def _confusions(page: _Page) -> Html | None:
    parts = page.beside(partial(_changes, page))
    if not parts:
        return None
    if any(kind.task == ONE_CLASS for kind in page.comparison.kinds):
        about = f"Mistakes of each run less those of {page.first.name}"
    else:
        about = "The figures of each, as the runs have recorded them"
    means = ", means over seeds" if any(each.several for each in page.contenders) else ""
    about += f"{means}."
    return section(
        "confusions", "Confusions and classes", element("p", about, class_="faint"), *parts
    )


def _changes(page: _Page, place: int, other: Contender) -> Html | None:
    parts: list[Html] = []
    for by_metric in page.comparison.decisive:
        output = output_of(page.first, by_metric.metric)
        changes = confusion_changes(page.first, other, output)
        if not changes:
            continue
        kept = page.first.kept
        assert kept is not None
        if len(page.comparison.decisive) > 1:
            parts.append(element("h3", kept.outputs[output].name))
        if len(kept.outputs[output].classes) <= _LARGEST_MATRIX:
            parts.append(
                _matrix(
                    kept.outputs[output].classes,
                    {(each.true, each.predicted): each.now - each.before for each in changes},
                )
            )
        rows = [
            [
                each.true, each.predicted, f"{each.before:.3g}", f"{each.now:.3g}",
                _change(each.now - each.before),
            ]
            for each in changes[: 2 * SHOWN]
        ]  # fmt: skip
        head = ["true class", "predicted as", page.first.name, other.name, "change"]
        parts.append(
            details(
                "As a list",
                table("Confusions that changed most", head, rows, numbers_from=2),
            )
        )
    classes = class_changes(page.first, other)[:_CLASSES]
    if classes:
        rows = [
            [each.name, each.figure, metric(each.figure, each.before),
             metric(each.figure, each.now)]
            for each in classes
        ]  # fmt: skip
        head = ["changed most", "by", page.first.name, other.name]
        made = table("Classes that changed most", head, rows, numbers_from=2)
        parts.append(details("Classes that changed most", made) if parts else made)
    return joined(parts) if parts else None


def _change(difference: float) -> Html:
    css = "worse" if difference > 0 else "better"
    return element("span", f"{difference:+.3g}", class_=f"sure {css}")


def _matrix(classes: Sequence[str], changes: Mapping[tuple[str, str], float]) -> Html:
    """How many mistakes more or fewer there are: orange is worse, blue is better."""
    most = max(abs(change) for change in changes.values())
    upright = any(len(name) > 4 for name in classes)
    head = [
        element("th", name, scope="col", title=name, class_="long" if upright else None)
        for name in classes
    ]
    rows = []
    for true in classes:
        cells = []
        for predicted in classes:
            change = changes.get((true, predicted), 0.0)
            if true == predicted:
                cells.append(Html('<td class="zero"></td>'))
            elif not change:
                cells.append(Html('<td class="zero">·</td>'))
            else:
                css = "wrong" if change > 0 else "right"
                title = escape(f"{true} taken for {predicted}: {change:+.3g}")
                strength = 0.15 + 0.5 * abs(change) / most
                cells.append(
                    Html(
                        f'<td class="{css}" style="--share:{strength:.2f}" title="{title}">'
                        f"{change:+.3g}</td>"
                    )
                )
        rows.append(element("tr", element("th", true, scope="row", title=true), *cells))
    return scrolling(
        "Changes of confusions",
        element(
            "table",
            element(
                "caption", "Changes of confusions: rows are true classes, columns predicted ones",
                class_="hidden",
            ),
            element("thead", element("tr", element("td"), *head)),
            element("tbody", joined(rows)),
            class_="confusion changes",
        ),
    )  # fmt: skip


# ---- images ------------------------------------------------------------------------------------


def _images(page: _Page) -> Html | None:
    parts = page.beside(partial(_telling, page))
    if not parts:
        return None
    about = f"The label, then what {page.first.name} and the other run answer."
    return section(
        "images", f"{page.nouns.capitalize()} that tell runs apart",
        element("p", about, class_="faint"), *parts,
    )  # fmt: skip


def _telling(page: _Page, place: int, other: Contender) -> Html | None:
    parts: list[Html] = []
    for by_metric in page.comparison.decisive:
        telling = telling_images(page.first, other, by_metric.metric)
        if telling is None or not (telling.firsts or telling.others):
            continue
        if len(page.comparison.decisive) > 1:
            parts.append(element("h3", _title(by_metric.title, page)))
        parts += _sides(page, other, telling)
    return joined(parts) if parts else None


def _sides(page: _Page, other: Contender, telling: Telling) -> Iterator[Html]:
    sides = (
        (other.name, telling.only_other, telling.others),
        (page.first.name, telling.only_first, telling.firsts),
    )
    for name, images, count in sides:
        if telling.what != "right":
            what = f"{name} answers better, by {telling.what}"
        elif page.first.several or other.several:
            what = f"{name} has right more often"
        else:
            what = f"Only {name} has right"
        shown = f", of which these are {len(images)}" if count > len(images) else ""
        counted = plural(count, page.comparison.noun)
        yield element("p", element("strong", what), f": {counted}{shown}")
        if images:
            items = [element("li", _figure(page, other, image)) for image in images]
            yield element("ul", *items, class_="gallery")


def _figure(page: _Page, other: Contender, image: TellingImage) -> Html:
    about = f"{image.name}: {image.truth}" if image.truth else image.name
    picture = page.pictures.picture(image.id, about) if page.pictures is not None else None
    if picture is None:
        picture = element("span", image.name, class_="unseen")
    lines: list[Html | str] = [element("strong", image.truth), element("br")] * bool(image.truth)
    lines += [
        _key(0), image.first, element("br"),
        _key(page.contenders.index(other)), image.other, element("br"), image.name,
    ]  # fmt: skip
    return element("figure", picture, element("figcaption", *lines))


# ---- runs --------------------------------------------------------------------------------------


def _runs(page: _Page) -> Html:
    head = ["run", "folder", "state", "seed", "epochs", "best epoch", "value", "device", "time"]
    rows = []
    decisive = page.comparison.decisive[0]
    for place, (each, standing) in enumerate(zip(page.contenders, decisive.standings, strict=True)):
        for run, value in zip(each.runs, standing.values, strict=True):
            rows.append(
                [
                    page.named(place),
                    str(run.folder),
                    run.state,
                    "" if run.seed is None else str(run.seed),
                    str(run.epochs),
                    "" if run.best_epoch is None else str(run.best_epoch),
                    metric(decisive.metric, value) if isfinite(value) else "",
                    run.device,
                    duration(run.seconds) if run.seconds is not None else "",
                ]
            )
    return section("runs", "Runs", table("Runs", head, rows, numbers_from=3))
