"""Finds layers by name in directives: a layer, a scope with its layers, a pattern of names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cached_property

from ...dsl.closest import closest
from ...dsl.diagnostics import Edit
from ...dsl.source import Span
from ..language.problems import Problem
from ..language.values import name_or_text
from ..network import Network, Node

_MAX_NAMES = 2_000
"""The most names that are compared for a suggestion."""


class LayerNames:
    def __init__(self, network: Network) -> None:
        self.network = network

    @cached_property
    def names(self) -> dict[str, list[Node]]:
        """Every name with its layers, larger scopes first."""
        by_name: dict[str, list[Node]] = {}
        for node in self.network.nodes[1:]:
            pieces = node.name.split(".")
            for count in range(1, len(pieces) + 1):
                by_name.setdefault(".".join(pieces[:count]), []).append(node)
        return dict(sorted(by_name.items(), key=lambda item: item[0].count(".")))

    def nodes(self, part: str) -> list[Node]:
        """The layers of a name or pattern, in the network's order; empty if there are none."""
        if not is_pattern(part):
            return self.names.get(part, [])
        fitting = {
            node.index: node
            for name, nodes in self.names.items()
            if fnmatchcase(name, part)
            for node in nodes
        }
        return [fitting[index] for index in sorted(fitting)]

    def all_of(self, parts: Iterable[str]) -> list[Node]:
        fitting = {node.index: node for part in parts for node in self.nodes(part)}
        return [fitting[index] for index in sorted(fitting)]

    def before(self, part: str) -> list[Node]:
        """The layers before the first one of a name."""
        nodes = self.nodes(part)
        return self.network.nodes[1 : nodes[0].index] if nodes else []

    def up_to(self, part: str) -> list[Node]:
        """The layers up to the last one of a name."""
        nodes = self.nodes(part)
        return self.network.nodes[1 : nodes[-1].index + 1] if nodes else []

    @property
    def last(self) -> Node | None:
        """The last layer with weights outside auxiliary heads: the head of a classifier."""
        learned = [node for node in self.network.nodes if _learns(node) and not node.aux]
        return learned[-1] if learned else None

    def problem(self, part: str, place: Span) -> Problem | None:
        """The error for an unknown name."""
        if self.nodes(part):
            return None
        name = self.network.name
        if is_pattern(part):
            message, close = f'no layer of {name} matches "{part}"', ""
        else:
            message = f"{name} has no layer or scope `{part}`"
            close = closest(part, list(self.names)[:_MAX_NAMES])
        return Problem(
            "unknown-part",
            message,
            place,
            help=f"did you mean `{close}`?" if close else f"there are {self._listed()}",
            edits=(Edit(place, name_or_text(close)),) if close else (),
        )

    def _listed(self) -> str:
        tops = [name for name, nodes in self.names.items() if "." not in name and any(
            _learns(node) for node in nodes)]  # fmt: skip
        rest = f" and {len(tops) - 8} more" if len(tops) > 8 else ""
        return ", ".join(f"`{name}`" for name in tops[:8]) + rest if tops else "none with weights"


def is_pattern(part: str) -> bool:
    return any(sign in part for sign in "*?[")


def _learns(node: Node) -> bool:
    return any(weight.trainable for weight in node.weights)


def learning(nodes: Sequence[Node]) -> list[Node]:
    """The layers with trainable weights."""
    return [node for node in nodes if _learns(node)]
