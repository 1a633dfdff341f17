"""The report's summary: metrics, data, device, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from typing import Any

from ...compiler.analysis import Analysis
from ...compiler.plan.metric_names import metric_named
from ...compiler.plan.train import SINGLE
from ...compiler.report.figures import exact, short
from ..display.number_format import duration, metric
from .contents import Contents
from .markup import Html, element, section

_PARTS = {"train": "training", "val": "validation", "test": "test"}


def summary(contents: Contents, analysis: Analysis) -> Html:
    cards = [
        element("div", element("dt", name), element("dd", figure))
        for name, figure in _figures(contents, analysis)
    ]
    part = _PARTS.get(contents.outcome.part, contents.outcome.part)
    count = exact(len(contents.outcome.labels))
    weights = ", with the weights of the best epoch" if contents.best is not None else ""
    compared = [
        element("p", *_with_code(each.text), class_="verdict")
        for each in contents.outcome.comparisons
    ]
    facts = [
        piece
        for name, text in _facts(contents)
        for piece in (element("dt", name), element("dd", text))
    ]
    return section(
        "summary",
        "Results",
        element("dl", *cards, class_="figures"),
        _verdict(contents),
        *compared,
        element("p", f"Measured on the {count} {part} {contents.nouns}{weights}.", class_="faint"),
        element("dl", *facts, class_="facts"),
    )


def _verdict(contents: Contents) -> Html | str:
    text = " ".join(filter(None, contents.verdict))
    if not text:
        return ""
    return element("p", element("strong", "Verdict:"), " ", *_with_code(text), class_="verdict")


def _with_code(text: str) -> Iterator[Html | str]:
    """Text in which words between backticks are code."""
    for place, part in enumerate(text.split("`")):
        yield element("code", part) if place % 2 else part


def _figures(contents: Contents, analysis: Analysis) -> Iterator[tuple[str, str]]:
    metrics = contents.outcome.metrics
    shown = contents.shown_metrics
    wanted = [name for name in SINGLE if name in shown]
    for name in wanted or metrics:
        if name in metrics:
            title = contents.data.task.titles.get(name, metric_named(name).title)
            yield title, metric(name, metrics[name])
    yield "parameters", short(analysis.totals.params)
    yield "multiply-adds", short(analysis.totals.macs)
    if contents.epochs:
        yield "training time", duration(_seconds(contents))


def _seconds(contents: Contents) -> float:
    """Seconds of the whole run, including features that were cached before the first epoch."""
    result = contents.record.get("result")
    whole = result.get("seconds") if isinstance(result, Mapping) else None
    if isinstance(whole, (int, float)):
        return float(whole)
    return sum(each.seconds for each in contents.epochs)


def _facts(contents: Contents) -> Iterator[tuple[str, str]]:
    dataset = contents.data.dataset
    preparation = ", ".join(contents.data.preparation.lines())
    yield "Network", contents.network.name
    yield "Data", "; ".join(line.strip() for line in replace(dataset, bands=()).lines())
    yield "Preprocessing", preparation
    if contents.epochs:
        which = f"; the best epoch is {contents.best}" if contents.best is not None else ""
        yield "Epochs", f"{contents.epochs[-1].epoch}{which}"
    shown = {*dataset.lines(), f"preprocessing: {preparation}"}
    yield from _record(contents.record, shown)


def _record(record: Mapping[str, Any], shown: Set[str]) -> Iterator[tuple[str, str]]:
    """The useful entries of record.json, without the lines that are shown already."""
    for key, name in _RECORDED.items():
        value = record.get(key)
        if isinstance(value, list):
            value = [each for each in value if each not in shown]
        text = _text(value)
        if text:
            yield name, text
    versions = {key: record.get(key) for key in _VERSIONS if record.get(key)}
    if versions:
        yield "Versions", _text(versions)
    made_with, result = record.get("made_with"), record.get("result")
    if isinstance(made_with, Mapping) and made_with.get("set"):
        yield "Overrides", _text(made_with["set"])
    if isinstance(result, Mapping) and isinstance(result.get("test"), Mapping):
        numbers = {key: value for key, value in result["test"].items() if value is not None}
        yield (
            "Test set",
            ", ".join(f"{key} {metric(key, value)}" for key, value in numbers.items()),
        )


_RECORDED = {
    "started": "Started",
    "device": "Device",
    "seed": "Seed",
    "choices": "Chosen automatically",
    "platform": "System",
}
_VERSIONS = ("dotcnn", "torch", "numpy", "python")


def _text(value: Any) -> str:
    """A value of record.json, of any type, as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
    if isinstance(value, list):
        return "; ".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
