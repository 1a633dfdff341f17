"""The structure of a spec's text: the parameters of its network, and its statements, without
comments, layout and sections. What differs in sections is seen in the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from ...compiler.language.vocabulary import SECTIONS
from ...dsl.diagnostics import has_errors
from ...dsl.parser import read
from ...dsl.source import Source
from ...dsl.syntax import Body, Branches, Call, Network, Node, Spec

END = "}"
"""The end of a body, among the statements."""


class SpecStructure(NamedTuple):
    parameters: Mapping[str, str]
    """The parameters of the network with their defaults, as written."""
    statements: tuple[str, ...]
    """One after the other, each on one line; with those of blocks."""


@lru_cache(maxsize=4096)
def structure_of(text: str, network: str | None = None) -> SpecStructure | None:
    """The structure of a spec, for the network of a name, by default the last; None if the text
    cannot be parsed."""
    spec, diagnostics = read(Source("spec.cnn", text))
    if has_errors(diagnostics):
        return None
    networks = [each for each in spec.statements if isinstance(each, Network)]
    named = [each for each in networks if each.name.value == network] or networks
    parameters = {
        each.name.value: "" if each.default is None else _on_one_line(each.default.span.text)
        for each in (named[-1].parameters if named else ())
    }
    return SpecStructure(parameters, tuple(_statements(spec)))


def _statements(spec: Spec) -> Iterator[str]:
    stack: list[Node | str] = [
        statement
        for statement in reversed(spec.statements)
        if not (isinstance(statement, Call) and statement.head.value in SECTIONS)
    ]
    while stack:  # without recursion: a spec may nest deeply
        item = stack.pop()
        if isinstance(item, str):
            yield item
            continue
        bodies = _bodies(item)
        yield _head(item, bodies)
        for body in reversed(bodies):
            stack.append(END)
            if isinstance(body, Branches):
                for path in reversed(body.paths):
                    stack += [*reversed(path.statements), "|"]
            else:
                stack += reversed(body.statements)


def _bodies(node: Node) -> list[Body | Branches]:
    found: list[Body | Branches] = []
    for part in node.said():
        if isinstance(part, Body | Branches):
            found.append(part)
        elif isinstance(part, tuple):  # the arms of an `if`
            found += [
                arm.body for arm in part if isinstance(getattr(arm, "body", None), Body | Branches)
            ]
    return found


def _head(node: Node, bodies: list[Body | Branches]) -> str:
    """The statement without its bodies; of a network, without its parameters."""
    if isinstance(node, Network):
        return f"network {node.name.value}"
    text, start = node.span.text, node.span.start
    end = min((body.span.start - start for body in bodies), default=len(text))
    return _on_one_line(text[:end])


def _on_one_line(text: str) -> str:
    return " ".join(" ".join(line.split("#")[0] for line in text.splitlines()).split())
