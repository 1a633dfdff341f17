"""Labels: names for the outputs of statements, and references to them."""

from __future__ import annotations

from collections.abc import Iterator

from ...dsl.diagnostics import Diagnostic, Label
from ...dsl.source import Span
from ...dsl.syntax import Argument, Name, Path
from ..diagnose.unused import unused_label
from ..language.problems import Problem, Quiet, did_you_mean
from ..language.vocabulary import FORMS
from ..network import Network, Node, Scope
from .naming import scopes_with_weights
from .scoping import check_module_name


class Labels:
    def __init__(self) -> None:
        self.given: dict[int, tuple[Name, Scope | Node]] = {}
        """By the id of the labeled node or scope."""
        self.used: set[int] = set()
        """The ids of the nodes and scopes that something refers to."""

    def enter(self, label: Name, scope: Scope, item: Scope | Node) -> None:
        """Registers a label in the scope where references look it up."""
        check_module_name(label, "label")
        named = _owner(scope).named
        if label.value in named:
            raise Problem(
                "duplicate-label",
                f"the label `{label.value}` is given twice in this scope",
                label.span,
                labels=(Label(named[label.value].span, "the other"),),
                help="labels are unique in their scope: choose another",
            )
        named[label.value] = item
        self.given[id(item)] = (label, item)

    def enter_failed(self, label: Name, scope: Scope) -> None:
        """Registers the label of a statement with an error, so that references to it cause no
        further error.
        """
        failed = Scope("form", "", label.span, None)
        _owner(scope).named.setdefault(label.value, failed)

    def reference(self, argument: Argument, scope: Scope) -> Node:
        """The node that a label refers to, looked up in this scope and the scopes around it."""
        value = argument.value
        if argument.name is not None or not isinstance(value, (Name, Path)):
            raise Problem(
                "argument",
                f"`{argument.span.text}` is not a label",
                argument.span,
                help="use a label from an earlier line, like `stem` or `layer1.0`",
            )
        first, *rest = (value.value,) if isinstance(value, Name) else value.parts
        owners = list(_visible(scope))
        owner = next((owner for owner in owners if first in owner.named), None)
        if owner is None:
            labels = {name for owner in owners for name in owner.named}
            help, edits = did_you_mean(first, labels, value.span)
            raise Problem(
                "unknown-label",
                f"nothing before this is labeled `{first}`",
                value.span,
                help=help or f"label the layer itself: `{first}: conv 64 3x3`",
                edits=edits if not rest else (),
            )
        item: Scope | Node = owner.named[first]
        self.used.add(id(item))
        for part in rest:
            item = _part(item, part, value.span)
            self.used.add(id(item))
        node = item.output if isinstance(item, Scope) else item
        if node is None:
            raise Quiet
        return node

    def unused(self, network: Network) -> Iterator[Diagnostic]:
        """Labels that are never referred to and do not name weights."""
        if not self.given:
            return
        with_weights = scopes_with_weights(network.nodes)
        for key, (label, item) in self.given.items():
            names_weights = item.weights if isinstance(item, Node) else key in with_weights
            if key not in self.used and not names_weights:
                yield unused_label(label, item.span)


def _owner(scope: Scope) -> Scope:
    """The nearest scope that has a namespace of its own."""
    return next(around for around in scope.chain() if around.has_name)


def _visible(scope: Scope) -> Iterator[Scope]:
    """The scopes whose labels are visible in a scope: those around it, up to its block. A block
    does not see the labels of its caller.
    """
    for around in scope.chain():
        if around.has_name:
            yield around
        if around.kind == "block" and around.word not in FORMS:
            return


def _part(item: Scope | Node, part: str, span: Span) -> Scope | Node:
    """A part of a scope: by its label, or an iteration of a loop by its number."""
    if isinstance(item, Scope):
        if part in item.named:
            return item.named[part]
        if item.kind == "loop" and part.isdigit() and int(part) < len(item.children):
            return item.children[int(part)]
        # An iteration that contains only one block is that block.
        inner = [c for c in item.children if isinstance(c, Scope) and part in c.named]
        if item.kind == "iteration" and len(inner) == 1:
            return inner[0].named[part]
    known = item.named if isinstance(item, Scope) else ()
    help, _ = did_you_mean(part, known, span)
    raise Problem(
        "unknown-label", f"nothing in it is labeled `{part}`", span, help=help or "label it there"
    )
