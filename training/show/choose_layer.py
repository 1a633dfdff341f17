"""Reads `LAYER[:channels]` on the command line: a layer of a network, and some of its channels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...compiler.network import Network, Node, Scope
from ...compiler.report.select import NotFound, select
from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, SpecError
from .subject import Subject

MAX_CHANNELS = 64
"""The most channels that are named at a time."""

_LISTED = 6


@dataclass(frozen=True)
class Chosen:
    """A layer and the channels of its output to show."""

    node: Node
    channels: tuple[int, ...] | None
    """None if the command line names none."""

    def channels_or(self, most: int) -> tuple[int, ...]:
        """The channels named, or else the first ones."""
        if self.channels is not None:
            return self.channels
        return tuple(range(min(most, self.node.shape[0])))

    def which(self, most: int) -> str:
        """Says which channels are shown, if these are not all: `the first 9 of 64 channels`."""
        count = self.node.shape[0]
        if self.channels is not None:
            return f"{len(self.channels)} of {count:,} channels"
        if count <= most:
            return f"all {count:,} channels" if count > 1 else "its only channel"
        return (
            f"the first {most} of {count:,} channels; others with"
            f" `{self.node.name}:{most}-{min(2 * most, count) - 1}`"
        )


def choose_layer(subject: Subject, written: str, option: str) -> Chosen:
    """The layer of `conv1`, `conv1:7`, `conv1:0-8,12`, or `fc:ants` for a class. The name may be
    its beginning or its end, and that of a block, which stands for its last layer. Raises
    SpecError."""
    name, colon, channels = written.partition(":")
    node = _node(subject.network, name, option)
    return Chosen(node, _channels(subject, node, channels, option) if colon else None)


def _node(network: Network, name: str, option: str) -> Node:
    if not name:
        raise _problem("no-layer", f"{option} needs the name of a layer", _names(network))
    try:
        selection = select(network, name)
    except NotFound as error:
        raise _problem("no-layer", error.message, error.help) from None
    part = selection.part
    if isinstance(part, Node):
        node = part
    elif isinstance(part, Scope) and isinstance(part.output, Node):
        node = part.output
    elif len(selection.layers) == 1:
        node = selection.layers[0]
    else:
        names = _listed([layer.name for layer in selection.layers])
        message = f"`{name}` may be any of {len(selection.layers)} layers"
        raise _problem("no-layer", message, f"write the whole name: {names}")
    if node.aux:
        message = f"{node.name} is in an auxiliary head, which exists only in training"
        raise _problem("no-layer", message, "name a layer of the network itself")
    return node


def _names(network: Network) -> str:
    return f"`cnn report` lists the names; the first layer is `{network.nodes[1].name}`"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_LISTED])
    return shown + (f", and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def _channels(subject: Subject, node: Node, written: str, option: str) -> tuple[int, ...]:
    count = node.shape[0]
    what = "class" if is_of_classes(subject, node) else "channel"
    chosen: dict[int, None] = {}
    for word in written.split(","):
        word = word.strip()
        span = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", word)
        name = class_index(subject, word) if what == "class" else None
        if name is not None:
            chosen[name] = None
            continue
        if span is None:
            close = closest(word, subject.classes or ()) if what == "class" else ""
            example = f"`{node.name}:0`, `{node.name}:0-3` or `{node.name}:0,2`"
            raise _problem(
                "no-channel",
                f"`{word}` is not a {what} of {node.name}",
                f"did you mean `{close}`?" if close else f"write numbers from 0 on: {example}",
            )
        first = int(span[1])
        last = int(span[2]) if span[2] else first
        if max(first, last) >= count:
            raise _problem(
                "no-channel",
                f"{node.name} has no channel {max(first, last)}",
                f"it has {count:,}, numbered from 0 to {count - 1:,}" if count > 1
                else "it has one, number 0",
            )  # fmt: skip
        if last < first:
            message = f"`{word}` ends before it begins"
            raise _problem("no-channel", message, f"write `{last}-{first}`")
        if last - first >= MAX_CHANNELS:
            chosen.update(dict.fromkeys(range(first, first + MAX_CHANNELS + 1)))
        else:
            chosen.update(dict.fromkeys(range(first, last + 1)))
        if len(chosen) > MAX_CHANNELS:
            message = f"{option} shows at most {MAX_CHANNELS} channels at a time"
            raise _problem("no-channel", message, "name fewer")
    return tuple(chosen)


def is_of_classes(subject: Subject, node: Node) -> bool:
    """Whether the channels of a layer are the classes: it is the last one, or has its logits."""
    output = subject.network.output
    return node is output or (output.op.probabilities and node is output.inputs[0])


def class_index(subject: Subject, word: str) -> int | None:
    """The class of this name, upper or lower case; None if there is none."""
    names = subject.classes or ()
    if word in names:
        return names.index(word)
    folded = [name.casefold() for name in names]
    return folded.index(word.casefold()) if folded.count(word.casefold()) == 1 else None


def choose_output(subject: Subject, written: str, option: str) -> tuple[Subject, str]:
    """The network as seen from one of several outputs, and the classes that `output:classes` names;
    without an output, the first that has classes. Raises SpecError."""
    names = [output.name for output in subject.network.outputs]
    if len(names) < 2:
        return subject, written
    views = {name: subject.of_output(name) for name in names}
    if not written:
        has_classes = (view for view in views.values() if view.regression is None)
        return next(has_classes, views[names[0]]), ""
    # The classes of an output may have a colon in their names, and so may outputs not.
    name, _, classes = written.partition(":")
    if name in views:
        return views[name], classes
    close = closest(name, names)
    listed = _listed(names)
    raise SpecError(
        [
            Diagnostic(
                "no-output",
                f"{option}: {subject.name} has no output `{name}`",
                notes=(f"its outputs are {listed}",),
                help=f"did you mean `{close}`?"
                if close
                else f"write `{option} {names[0]}`, or `{option} {names[0]}:CLASS`",
            )
        ]
    )


def choose_classes(subject: Subject, written: str, option: str) -> tuple[int, ...]:
    """The classes of `ants`, `3` or `ants,bees`: names come before numbers. Raises SpecError."""
    count = subject.network.output.shape[0]
    whole = class_index(subject, written)
    if whole is not None:  # a name may have a comma in it
        return (whole,)
    chosen: dict[int, None] = {}
    for word in written.split(","):
        word = word.strip()
        index = class_index(subject, word)
        if index is None and word.isdecimal() and len(word) < 10 and int(word) < count:
            index = int(word)
        if index is None:
            close = closest(word, subject.classes or ())
            names = _listed(subject.classes or ())
            known = f"the classes are {names}" if names else "the weights name no classes"
            help = f"did you mean `{close}`?" if close else f"write a number below {count}"
            message = f"{option}: {subject.name} has no class `{word}`"
            raise SpecError([Diagnostic("no-class", message, notes=(known,), help=help)])
        chosen[index] = None
    return tuple(chosen)


def _problem(code: str, message: str, help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, help=help)])
