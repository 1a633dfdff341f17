"""The page's summary: what was searched, the best trial and its values, how certain it is."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from ...compiler.plan.metric_names import is_metric, metric_named
from ...compiler.report.figures import exact
from ..checkpoint.run_folder import shown
from ..display.number_format import duration
from ..page.markup import Html, element, escape, section
from ..sweep.sweep_facts import TrialFacts
from ..sweep.sweep_folder import RUNNING
from ..sweep.trial_text import objective_text, value_text
from .sweep_contents import SweepContents


def sweep_summary(contents: SweepContents) -> Html:
    cards = [
        element("div", element("dt", name), element("dd", figure))
        for name, figure in _figures(contents)
    ]
    facts = [
        piece
        for name, text in _facts(contents)
        for piece in (element("dt", name), element("dd", text))
    ]
    return section(
        "summary",
        "Result",
        element("dl", *cards, class_="figures"),
        *_best(contents),
        element("dl", *facts, class_="facts"),
    )


def _figures(contents: SweepContents) -> Iterator[tuple[str, str]]:
    facts = contents.facts
    best = facts.best
    if best is not None:
        for name in facts.objectives:
            yield f"best {name}", objective_text(name, best.objectives[name])
    elif len(facts.objectives) > 1:
        yield "trials on the front", exact(len(facts.front))
    ended = len(facts.ended)
    yield "trials", f"{exact(ended)} of {exact(max(facts.planned, ended))}"
    running = sum(trial.state == RUNNING for trial in facts.trials)
    if running:
        yield "running", exact(running)
    if contents.pruned:
        yield "pruned", exact(len(contents.pruned))
    if facts.not_trained:
        yield "never trained", exact(len(facts.not_trained))
    seconds = sum(trial.seconds or 0.0 for trial in facts.trials)
    if seconds:
        yield "training time", duration(seconds)


def _best(contents: SweepContents) -> Iterator[Html]:
    facts = contents.facts
    best = facts.best
    if best is None:
        if not contents.complete:
            yield element("p", "No trial has come to its end yet.")
        else:
            line = f"cnn sweep --best {shown(facts.folder)} --trial N -o net.cnn"
            code = element("code", line)
            yield element("p", "One of the front as a spec, with its values written in: ", code)
        return
    link = element("a", f"trial {best.number}", href=contents.href(best))
    values = ", ".join(
        f"{each.name} {value_text(each, best.values.get(each.name))}"
        for each in facts.searches
        if each.name in best.values
    )
    written = " It is the spec as written." if best.is_written else ""
    yield element("p", "The best is ", link, f": {values}.{written}")
    doubt = _doubt(contents, best)
    if doubt:
        yield element("p", element("strong", "How certain? "), doubt, class_="verdict")
    command = f"cnn sweep --best {shown(facts.folder)} -o best.cnn"
    yield element("p", "As a spec with these values written in: ", element("code", command))


def _doubt(contents: SweepContents, best: TrialFacts) -> str:
    """How many trials cannot be told from the best, by the images that results are measured on."""
    name, count = contents.facts.objectives[0], contents.validation_images
    if count is None or not is_metric(name) or not metric_named(name).share:
        return ""
    result = best.objectives[name]
    error = sqrt(max(result * (1 - result), 1 / count) / count)
    others = [trial for trial in contents.complete if trial.number != best.number]
    close = sum(abs(trial.objectives[name] - result) <= 2 * error for trial in others)
    text = (
        f"On {exact(count)} validation images, {name} has a standard error of"
        f" {100 * error:.2g} percentage points."
    )
    if close:
        trials = "1 other trial is" if close == 1 else f"{exact(close)} other trials are"
        text += (
            f" {trials} less than two of these away: by these figures alone, any of them may be the"
            " best."
        )
    chosen = len(contents.complete)
    if chosen > 1:
        text += (
            f" And the best of {exact(chosen)} was chosen by the images that it is measured on: on"
            " others it will do a little worse."
        )
    return text


def _facts(contents: SweepContents) -> Iterator[tuple[str, str | Html]]:
    facts = contents.facts
    yield "Network", f"{facts.network}, of {facts.spec}"
    lines = [escape(str(each)) for each in facts.searches]
    yield "Searched", Html("<br>".join(f"<code>{line}</code>" for line in lines))
    ways = zip(facts.objectives, facts.higher, strict=True)
    yield (
        "Compared by",
        ", ".join(f"{name} ({'higher' if up else 'lower'} is better)" for name, up in ways),
    )
    yield "Sampler", facts.sampler + (f"; {facts.prune}" if facts.prune else "")
    if facts.limits:
        yield (
            "Limits",
            ", ".join(f"{name} < {objective_text(name, v)}" for name, v in facts.limits.items()),
        )
    if facts.started:
        yield "Started", facts.started
    if facts.options.set:
        yield "Overrides", "; ".join(facts.options.set)
    yield "Version", f"dotcnn {facts.version}"
