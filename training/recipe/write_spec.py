"""Writes the spec for a data set: the text of `cnn new --data`, checked before it is returned."""

from __future__ import annotations

import os
import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ...compiler.build.elaborate import elaborate
from ...compiler.language.overrides import SectionOverride
from ...compiler.language.values import quoted
from ...compiler.load_spec import load
from ...compiler.network import Network
from ...compiler.plan.data import Data
from ...compiler.recipes import sections
from ...compiler.starter import network_name, network_only, with_classes
from ...dsl.diagnostics import SpecError
from ...dsl.parser import read
from ...dsl.printer import print_spec
from ...dsl.source import Source
from ..data.diagnostic import plural_noun
from ..data.sources.given import data_of, given
from ..request import request
from .choices import (
    Input,
    Line,
    Sized,
    augment_lines,
    best,
    candidates,
    choose_input,
    found,
    sized,
    train_lines,
    training_images,
)
from .machine import Machine
from .networks import SMALL, Choice
from .survey import Survey, survey

WIDTH = 100


def spec_for(
    path: Path,
    data: str,
    machine: Machine,
    *,
    budget: str = "small",
    minutes: float = 30,
    like: Source | None = None,
    weights: str = "",
    here: Path | None = None,
) -> str:
    """The text of a spec at `path` for the data that the words of `--data` name. `budget` is
    `small` or `medium`; `like` is the spec of a network to take, and `weights` are pretrained ones.
    Raises SpecError if the data cannot be learned from."""
    here = here or Path.cwd()
    override = given(data, here)
    base = path.absolute().parent
    line, data_line = _data(override, base)
    seen = survey(data_line, base)
    into = choose_input(seen, budget)
    stem = path.name.removesuffix(".cnn")
    tuned = bool(weights) and not seen.task.dense  # only a new head is trained
    if like is None:
        options = [
            sized(choice, _built(_network(stem, choice, into, seen), seen), seen, machine, minutes)
            for choice in candidates(seen, into.size, budget)
        ]
        chosen, why = best(options, seen, minutes)
        assert chosen.choice is not None
        text = _network(stem, chosen.choice, into, seen, _why_network(chosen, why, seen))
    else:
        text, into = _copied(path.name, like, into, seen, own_size=tuned)
        chosen = sized(None, _built(text, seen), seen, machine, minutes, tuned=tuned)
    text = "\n\n".join(
        [
            _header(path.name, data_line, seen, _hint(seen, into, data, weights)),
            text,
            _section("train", "Training data and hyperparameters.",
                     train_lines(seen, machine, chosen, line, tuned=tuned)),
            *_augment(seen, into),
            *([_section("evaluate", "", into.evaluate)] if into.evaluate else []),
            *([_transfer(chosen.network, weights, seen)] if weights else []),
        ]
    )  # fmt: skip
    return _checked(text, path)


def _data(override: SectionOverride, base: Path) -> tuple[str, Data]:
    """The words of the `data` line, with a path that is relative to the spec's folder, and the
    directive."""
    data = data_of(override)
    assert override.call is not None
    words = override.call.span.text
    path = getattr(data, "path", None)
    if isinstance(path, str):
        words = words.replace(quoted(path), quoted(_relative(path, base)))
    return words, data


def _relative(path: str, base: Path) -> str:
    """A path as a spec has it: relative, unless it is somewhere else altogether."""
    place = base / Path(path).expanduser()
    try:
        relative = Path(os.path.relpath(place, base)).as_posix()
    except ValueError:  # on another drive
        return path
    return relative if relative.count("../") < 3 else str(place)


# ---- the network -----------------------------------------------------------------------------


def _network(stem: str, choice: Choice, into: Input, seen: Survey, why: str = "") -> str:
    """The text of a network, with what stands before it."""
    lines = [
        choice.before,
        "",
        *_comment(why),
        f"network {network_name(stem)} {{",
        *_comment(into.why, 2),
        f"  input {into.text}",
        "",
        *_to_the_end(choice.body, seen, into),
        "}",
    ]
    return "\n".join(lines)


def _to_the_end(body: str, seen: Survey, into: Input) -> Iterator[str]:
    """The layers up to the end, or up to several outputs, which read the same features."""
    dropout = "  dropout 0.2"
    if not seen.answers:
        yield body
        # The last layer, along the axes that samples have.
        ends = seen.recipe.ends if len(into.size) == 2 else seen.recipe.ends.replace("1x1", "1")
        yield f"  {ends}" if ends else ""
        return
    yield body.removesuffix(dropout).rstrip()
    yield "  features: dropout 0.2"
    for place, one in enumerate(seen.answers):
        last = f"fc {len(one.task.classes)}"
        yield (
            f"  output {one.name} {{ from features, {last} }}"
            if place
            else (f"  output {one.name}: {last}")
        )


def _why_network(chosen: Sized, why: str, seen: Survey) -> str:
    assert chosen.choice is not None
    count = training_images(seen)
    return (
        f"{chosen.choice.what[:1].upper()}{chosen.choice.what[1:]}:"
        f" {_short(chosen.params)} parameters, {_short(chosen.macs)} multiply-adds for"
        f" each of the {plural_noun(seen.noun)}. For {count:,} of them, {why}."
    )


def _short(number: int) -> str:
    for power, word in ((9, "billion"), (6, "million"), (3, "thousand")):
        if number >= 10**power:
            return f"{number / 10**power:.2g} {word}" if number < 10 ** (power + 2) else (
                f"{number / 10**power:.0f} {word}"
            )  # fmt: skip
    return str(number)


def _copied(
    name: str, like: Source, into: Input, seen: Survey, *, own_size: bool
) -> tuple[str, Input]:
    """A copy of another network, with the outputs that the data needs, and the size of input,
    unless the network keeps its own size, for which its weights were trained."""
    text = network_only(name, like)
    network = _built(text, seen)
    resized = _with_input(text, network, (into.channels, *into.size))
    if not own_size and resized != text:
        with suppress(SpecError):  # it may be for images of its own size
            network, text = _built(resized, seen), resized
    size = tuple(network.input.shape[1:])
    if size != into.size:
        into = Input(network.input.shape[0], size, into.why)
    return with_classes(text, network), into


def _with_input(text: str, network: Network, shape: tuple[int, ...]) -> str:
    span = network.input.span
    if span.source.text != text:
        return text
    size = re.sub(r"(?<!\d)\d++(?:x\d++)+", "x".join(map(str, shape)), span.text, count=1)
    return f"{text[: span.start]}{size}{text[span.end :]}"


def _built(text: str, seen: Survey) -> Network:
    return elaborate(load(Source("new.cnn", text)), classes=len(seen.task.classes))


def _augment(seen: Survey, into: Input) -> Sequence[str]:
    lines = list(augment_lines(seen, into.size))
    what = f"Random changes to training {plural_noun(seen.noun)}, new ones in each epoch."
    return [_section("augment", what, lines)] if lines else []


def _transfer(network: Network, weights: str, seen: Survey) -> str:
    """The section of pretrained weights; of a network for masks, they are those of its encoder."""
    names = {node.name.partition(".")[0] for node in network.nodes if node.weights}
    layers = sorted(name for name in names if re.fullmatch(r"layer\d", name))
    if not seen.task.dense or not layers:
        return sections(network, weights)["transfer"]
    lines = [
        Line(f"from {quoted(weights)}", "Weights of a classifier."),
        Line(
            f"features {layers[-1]} trained lr=0.1x",
            "Its layers are kept up to here, and learn slowly; what is behind them is new.",
        ),
    ]
    return _section("transfer", "Pretrained weights.", lines)


# ---- text ------------------------------------------------------------------------------------


def _header(name: str, data: Data, seen: Survey, hint: str) -> str:
    where = getattr(data, "path", None) or type(data).word.removeprefix("data ")
    words = [
        f"{name}: for {Path(where).name or where}, written by `cnn new --data`.",
        "",
        " ".join(found(seen)),
        *(["", hint] if hint else []),
        "",
        "Change what you like: `cnn help WORD` explains a word, `cnn check` finds mistakes.",
    ]
    return "\n".join(line for part in words for line in (_comment(part) or ["#"]))


def _hint(seen: Survey, into: Input, data: str, weights: str) -> str:
    """Advice for photographs that are too few to learn features from."""
    count = training_images(seen)
    small = max(into.size) <= SMALL or into.channels != 3
    if weights or small or count >= FEW:
        return ""
    like = "unet_resnet18" if seen.task.dense else "resnet18"
    return (
        f"{count:,} photographs are few: features that were learned from others reach more, where"
        f" their weights are at hand: `cnn new NAME --data {shlex.quote(data)} --like {like}"
        " --from torchvision:ResNet18_Weights.IMAGENET1K_V1`."
    )


FEW = 5000
"""Fewer photographs than these are better fine-tuned on."""


def _section(word: str, what: str, lines: Iterable[Line]) -> str:
    body = [
        each
        for line in lines
        for each in (*_comment(line.why, 2), *([f"  {line.text}"] if line.text else []))
    ]
    return "\n".join([*_comment(what), f"{word} {{", *body, "}"])


def _comment(text: str, indent: int = 0) -> Sequence[str]:
    """Text as lines of a comment."""
    prefix = f"{' ' * indent}# "
    return textwrap.wrap(
        text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _checked(text: str, path: Path) -> str:
    """The text in its canonical layout; raises SpecError if it cannot be trained."""
    spec, diagnostics = read(Source(path.name, text))
    if diagnostics:
        raise SpecError(diagnostics)
    text = print_spec(spec)
    request(Source(path.name, text, path.absolute()), base=path.absolute().parent)
    return text
