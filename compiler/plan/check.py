"""Checks of sections for `cnn check` beyond making a plan: the number of classes in the data
against the number of outputs of the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.parser import read
from ...dsl.program import Program
from ...dsl.source import Span
from ...dsl.syntax import Call, Parameter
from ...dsl.syntax import Network as NetworkSyntax
from ..build.elaborate import examine as elaborate
from ..build.scoping import sections_of
from ..diagnose.blame import first_line
from ..diagnose.trial import tried_in
from ..language.overrides import SectionOverride
from ..network import Network, Node
from ..shapes import Shape, text
from .data import Data, classes_of
from .layer_names import LayerNames
from .make import examine


def check_sections(
    program: Program,
    sections: Mapping[str, Call],
    network: Network | None,
    overrides: Sequence[SectionOverride] = (),
) -> list[Diagnostic]:
    """All diagnostics about the sections of a spec."""
    examined = examine(program, sections, network, overrides, sweep=True)
    diagnostics = examined.diagnostics
    data = examined.context.find(Data)
    classes = classes_of(data) if data is not None and data.written else None
    if network is not None and classes is not None and _ends_elsewhere(network, classes):
        # `fc classes` has as many outputs as the data has classes.
        again = elaborate(program, network=network.name, classes=classes).network
        if again is not None and len(again.output.shape) == 1:
            assert data is not None
            wrong = wrong_classes(data, again, classes)
            diagnostics += [wrong] if wrong else []
    return diagnostics


def errors_in_sections(
    program: Program, overrides: Sequence[SectionOverride] = ()
) -> list[Diagnostic]:
    """The errors in the sections of a spec whose network has errors, too."""

    def examined(variant: Program) -> list[Diagnostic]:
        return examine(variant, sections_of(variant), None, overrides, sweep=True).diagnostics

    errors = [each for each in examined(program) if each.severity == "error"]
    return tried_in(program, errors, examined)


def _ends_elsewhere(network: Network, classes: int) -> bool:
    outputs = network.ends
    return any(output.shape != (classes,) for output in outputs)


# ---- number of classes -----------------------------------------------------------------------

_MOST_NAMES = 8


def wrong_classes(
    data: Data,
    network: Network,
    count: int,
    name: str = "the data",
    names: Sequence[str] = (),
    *,
    size: Shape = (),
    noun: str = "class",
) -> Diagnostic | None:
    """Errors if the number of outputs differs from the number of classes, auxiliary heads included.

    `names` are the names of the classes, if known; `size` is that of masks. `noun` is what the
    network has an output for: `number` where labels are numbers.
    """
    heads = [(network.output, LayerNames(network).last or network.output)]
    heads += [(head.node, maker(head.node)) for head in network.aux]
    wrong = [(output, maker) for output, maker in heads if output.shape != (count, *size)]
    if not wrong:
        return None
    output = wrong[0][0]
    places = [_count_place(maker, network) for _, maker in wrong]
    ends = "an auxiliary head ends" if output.aux else "the network ends"
    numbers = text(output.shape)
    many = f"{noun}{'es' if noun.endswith('s') else 's'}"
    counted = f"{count:,} {noun if count == 1 else many}"
    data_place = data.place("path") or data.span
    rest = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    listed = ", ".join(f"`{each}`" for each in names[:_MOST_NAMES]) + rest
    return Diagnostic(
        "classes",
        f"{name} has {counted}, and {ends} in {numbers}",
        first_line(places[0].place),
        label=f"{ends} in {numbers}",
        labels=(Label(data_place, counted),) if data_place else (),
        notes=(f"the {many} are {listed}",) if names else (),
        help=f"write {places[0].how}: it is {_COUNTED[noun]} in the data",
        edits=tuple(dict.fromkeys(each.edit for each in places if each.edit)),
    )


_COUNTED = {"class": "the number of classes", "number": "how many numbers each image has"}


def maker(output: Node) -> Node:
    """The layer with weights that computes an output."""
    node = output
    while not node.weights and node.inputs:
        node = node.inputs[0]
    return node


class _CountPlace(NamedTuple):
    """The place in a spec that sets the number of outputs of a layer, and the fix."""

    place: Span
    how: str = "`classes` instead of the number"
    edit: Edit | None = None


_COUNT = re.compile(r"(?:\w+\s*:\s*)?[A-Za-z_]\w*\s+(\w+)\b")
"""A statement whose first argument is a number or a name."""


def _count_place(head: Node, network: Network) -> _CountPlace:
    """The place of the number: in the layer itself, in a call of a block that takes it, or in a
    parameter of the network."""
    count = head.shape[0]
    match = _COUNT.match(head.span.text)
    if match is None:
        return _CountPlace(head.span)
    if match[1] == str(count):
        return _CountPlace(head.span, edit=_classes(head.span, match.start(1), match.end(1)))
    name = match[1]
    for call in head.scope.chain():
        if call.kind != "block":
            continue
        if dict(call.arguments).get(name) != count:
            break
        number = re.search(rf"\b{count}\b", call.span.text)
        if number:
            return _CountPlace(call.span, edit=_classes(call.span, *number.span()))
        if not re.search(rf"\b{name}\b", call.span.text):  # otherwise the number is passed on
            end = call.span.end
            edit = Edit(Span(call.span.source, end, end), f" {name}=classes")
            return _CountPlace(call.span, f"`{name}=classes` here", edit)
    else:
        parameter = _parameter(name, head, network)
        if parameter is not None and parameter.default is not None:
            edit = Edit(parameter.default.span, "classes")
            return _CountPlace(parameter.span, f"`{name}=classes`", edit)
    return _CountPlace(head.span)


def _parameter(name: str, head: Node, network: Network) -> Parameter | None:
    """The parameter of the network that is the number of outputs of a layer."""
    if network.parameters.get(name) != head.shape[0]:
        return None
    networks = [
        each for each in read(head.span.source)[0].statements if isinstance(each, NetworkSyntax)
    ]
    own = [each for each in networks if each.name.value == network.name]
    parameters = [each for syntax in own for each in syntax.parameters]
    return next((each for each in parameters if each.name.value == name), None)


def _classes(place: Span, start: int, end: int) -> Edit:
    """The fix: replaces a part of a statement by `classes`."""
    return Edit(Span(place.source, place.start + start, place.start + end), "classes")
