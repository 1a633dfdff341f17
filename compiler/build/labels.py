"""Labels: names for the outputs of statements, and references to them.

A label names its statement: commas and line ends separate statements alike. A line that goes on
after the labeled statement can be read in two ways, `one: conv 64, bn, relu` as a name for the
convolution, which is what names of weights need, or for what the line ends in. So such a label may
name weights, but what is written elsewhere cannot refer to it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ...dsl.characters import shorten
from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Argument, Body, Call, Expression, Let, Name, Path, Statement
from ...dsl.syntax import walk as parts_of
from ..diagnose.blame import first_line, statement_span
from ..diagnose.unused import unused_label
from ..language.evaluate import maps_in_words
from ..language.problems import Problem, Quiet, did_you_mean
from ..language.values import Maps
from ..language.vocabulary import FORMS
from ..network import Network, Node, Scope
from .scoping import check_module_name

ARRIVING = "input"
"""The label of what arrives in a block, in a round of a loop, or in the network."""


class Labels:
    def __init__(self, network: Statement | None = None) -> None:
        self.network = network
        """The network that is executed, as written."""
        self.given: dict[int, tuple[Name, Scope | Node]] = {}
        """By the id of the labeled node or scope."""
        self.used: set[int] = set()
        """The ids of the nodes and scopes that something refers to."""
        self.reads: dict[int, tuple[Argument, Scope]] = {}
        """The last reference to each, by its id."""
        self.hidden: dict[int, Name] = {}
        """By the id of what has a label before a loop: the same label inside the loop."""
        self.referring: set[int] = set()
        """The ids of the words that have referred to a label."""
        self.lines: dict[int, list[Statement]] = {}
        """By the id of a label: its statement, and those that follow on the same line."""
        self.lists: dict[int, tuple[Maps, Scope]] = {}
        """By the id of a list of maps without a statement of its own: what labels name."""
        self.seen: set[int] = set()
        """The ids of the bodies whose lines are known."""

    def enter(self, label: Name, scope: Scope, item: Scope | Node) -> None:
        """Registers a label in the scope where references look it up."""
        self.check_name(label, scope)
        self.refuse_given(label, scope)
        named = _owner(scope).named
        if label.value in named:
            raise Problem(
                "duplicate-label",
                f"the label `{label.value}` is given twice in this scope",
                label.span,
                labels=(Label(named[label.value].span, "the other"),),
                help="labels are unique in their scope: choose another",
            )
        if all(around.shares is None for around in scope.chain()):  # `share` repeats the label
            self.refuse_rebinding(label, scope)
        named[label.value] = item
        self.given[id(item)] = (label, item)

    def check_name(self, label: Name, scope: Scope) -> None:
        """Refuses a label that cannot name a part of a module; the fix renames its uses, too."""
        try:
            check_module_name(label, "label")
        except Problem as problem:
            told = problem.diagnostic
            around = next((each.definition for each in scope.chain() if each.definition), None)
            uses = _uses(label, around or self.network) if told.edits else ()
            new = told.edits[0].text if told.edits else ""
            raise Problem(
                told.code,
                told.message,
                label.span,
                help=told.help,
                edits=(*told.edits, *(Edit(use, new) for use in uses)),
            ) from None

    def refuse_rebinding(self, label: Name, scope: Scope) -> None:
        """Refuses a label inside a loop that hides one from before the loop which the loop reads:
        each round would read that one, and not the one of the round before.
        """
        owner, *around = _visible(scope)
        if not any(inner.kind == "loop" for inner in around):
            return
        for outer in around:
            item = outer.named.get(label.value)
            if item is None or id(item) not in self.given:
                continue
            argument, reader = self.reads.get(id(item), (None, None))
            loops = [s for s in owner.chain() if s.kind == "loop" and _is_inside(s, outer)]
            if argument and reader and any(_is_inside(reader, loop) for loop in loops):
                raise Problem(
                    "rebound-label",
                    f"`{label.value}` is labeled before the loop, too, and read inside it: each"
                    " round would read the one from before the loop",
                    label.span,
                    labels=(
                        Label(self.given[id(item)][0].span, "before the loop"),
                        Label(argument.span, "reads it in every round"),
                    ),
                    help="choose another label inside the loop, and end it with a line that says"
                    f" what `{label.value}` is in the next round: `carry {label.value}=…`",
                )
            if loops:
                self.hidden[id(item)] = label
            return

    def see_lines(self, body: Body) -> None:
        """Records which labeled statements of a body are followed by others on the same line."""
        if id(body) in self.seen:
            return
        self.seen.add(id(body))
        for index, statement in enumerate(body.statements):
            label = getattr(statement, "label", None)
            if label is not None:
                self.lines[id(label)] = _line(body.statements, index)

    def enter_failed(self, label: Name, scope: Scope) -> None:
        """Registers the label of a statement with an error, so that references to it cause no
        further error.
        """
        failed = Scope("form", "", label.span, None)
        _owner(scope).named.setdefault(label.value, failed)

    def reference(self, argument: Argument, scope: Scope) -> Node:
        """The node that a label refers to, looked up in this scope and the scopes around it."""
        value = self.value(argument, scope)
        if isinstance(value, Maps):
            raise not_one_map(argument.span, value)
        return value

    def value(self, argument: Argument, scope: Scope) -> Node | Maps:
        """What a label refers to: a map, or a list of maps."""
        item = self.referred(argument, scope)
        value = item.output if isinstance(item, Scope) else item
        if value is None:
            raise Quiet
        return value

    def referred(self, argument: Argument, scope: Scope) -> Scope | Node:
        """The layer or scope that a label names."""
        value = argument.value
        self.referring.add(id(value))
        if argument.name is not None or not isinstance(value, (Name, Path)):
            raise Problem(
                "argument",
                f"`{argument.span.text}` is not a label",
                argument.span,
                help="use a label from an earlier line, like `stem` or `layer1.0`",
            )
        first, *rest = (value.value,) if isinstance(value, Name) else value.parts
        owner = next((o for o in _visible(scope) if first in o.named or first in o.maps), None)
        if owner is None and first == ARRIVING and not rest:
            arriving = self.as_item(_arriving(scope))
            if arriving is None:
                raise Quiet
            return arriving
        if owner is None:
            labels = self.visible(scope)
            help, edits = did_you_mean(first, labels, value.span)
            raise Problem(
                "unknown-label",
                f"nothing before this is labeled `{first}`",
                value.span,
                help=help or f"label the layer itself: `{first}: conv 64 3x3`",
                edits=edits if not rest else (),
            )
        item = owner.named.get(first)
        if item is None:
            item = self.as_item(owner.maps[first])
            owner.maps_read |= {first}
        if item is None:
            raise Quiet
        if not rest:
            self.refuse_two_readings(item, argument)
        hidden_by = self.hidden.get(id(item))
        if hidden_by is not None:
            raise Problem(
                "rebound-label",
                f"`{first}` is labeled before the loop and inside it; here it is the one from"
                " before the loop",
                value.span,
                labels=(
                    Label(self.given[id(item)][0].span, "before the loop"),
                    Label(hidden_by.span, "inside the loop"),
                ),
                help="choose another label inside the loop; what its last round produces is what"
                " arrives after it",
            )
        self.used.add(id(item))
        self.reads[id(item)] = argument, scope
        for part in rest:
            item = _part(item, part, value.span)
            self.used.add(id(item))
        return item

    def named(self, label: Name, scope: Scope) -> Scope | Node | None:
        """What a label of this scope names."""
        return _owner(scope).named.get(label.value)

    def knows(self, value: Expression, scope: Scope) -> bool:
        """Whether a word is a label here, or stands for what arrives."""
        if not isinstance(value, (Name, Path)):
            return False
        first = value.value.partition(".")[0]
        return value.value == ARRIVING or any(
            first in owner.named or first in owner.maps for owner in _visible(scope)
        )

    def visible(self, scope: Scope) -> set[str]:
        """The labels that can be referred to."""
        return {name for owner in _visible(scope) for name in (*owner.named, *owner.maps)}

    def as_item(self, value: Node | Maps | None) -> Scope | Node | None:
        """What a label can name: a layer, or something whose result a list of maps is."""
        if not isinstance(value, Maps):
            return value
        if id(value) not in self.lists:  # kept, and so its id is not used again
            assert self.network is not None
            item = Scope("form", "list", self.network.span, None)
            item.output = value
            self.lists[id(value)] = value, item
        return self.lists[id(value)][1]

    def rebind(self, name: str, scope: Scope, node: Node | Maps | None) -> None:
        """Lets a label refer to something else from here on: to what the last round of a loop
        carried.
        """
        owner = next((o for o in _visible(scope) if name in o.named or name in o.maps), None)
        if owner is not None and name in owner.maps and node is None:
            owner.maps[name] = node
        elif owner is not None:  # `maps` stays what came in by that name
            item = self.as_item(node)
            owner.named[name] = item if item is not None else Scope("form", "", scope.span, None)

    def alias(self, label: Name, scope: Scope, value: Node | Maps) -> None:
        """Registers one more label for a layer, or for a list: `skip: from stem`."""
        item = self.as_item(value)
        assert item is not None
        given = self.given.get(id(item))
        self.enter(label, scope, item)
        if given is not None:
            self.given[id(item)] = given

    def refuse_half_carried(self, name: Name, scope: Scope) -> None:
        """Refuses to carry a label from before a loop around this one, if that does not."""
        for around in scope.chain():
            if around.has_name and (name.value in around.named or name.value in around.maps):
                return
            if around.kind == "iteration":
                raise Problem(
                    "rebound-label",
                    f"this loop carries `{name.value}`, and the loop around it does not",
                    name.span,
                    labels=(Label(first_line(around.span), "the loop around"),),
                    help=f"end the loop around with `carry {name.value}={name.value}`, too",
                )

    def refuse_given(self, label: Name, scope: Scope) -> None:
        """Refuses a label for what comes in by that name: a parameter, or what a loop carries."""
        for around in _visible(scope):
            if label.value not in around.maps:
                continue
            loop = around.kind == "iteration"
            raise Problem(
                "rebound-label" if loop else "duplicate-label",
                f"`{label.value}` is a name of this loop, and a label inside the round, too"
                if any(label.value == name for name, _ in around.arguments) and loop
                else f"`{label.value}` is carried from round to round, and a label inside the"
                " round, too"
                if loop
                else f"the label `{label.value}` is a parameter of this block, too",
                label.span,
                labels=() if loop else (Label(around.span, "what is passed in"),),
                help=f"choose another label; the last line of the round says what"
                f" `{label.value}` is in the next: `carry {label.value}=…`"
                if loop
                else "choose another label",
            )

    def refuse_two_readings(self, item: Scope | Node, argument: Argument) -> None:
        """Refuses a reference to a label whose line goes on after its statement."""
        label, _ = self.given.get(id(item), (None, None))
        line = self.lines.get(id(label), [])
        if label is None or len(line) < 2:
            return
        whole = Span(label.span.source, line[0].span.start, line[-1].span.end)
        if argument.span.source is whole.source and whole.start <= argument.span.start < whole.end:
            return  # inside its line, it can only be the statement
        first, second, last = (_written(line[n]) for n in (0, 1, -1))
        raise Problem(
            "ambiguous-label",
            f"`{label.value}` can be read as the name of the `{first}` after it, or of what its"
            f" line ends in, the `{last}`",
            label.span,
            labels=(Label(argument.span, "which of them?"),),
            help=f"for the `{last}`, move `{label.value}:` directly before it; for the `{first}`,"
            f" begin a new line before the `{second}`",
        )

    def unused(self, network: Network) -> Iterator[Diagnostic]:
        """Labels of activations and the like that nothing refers to: probably of a shortcut that
        was forgotten. Weights, pools and parts have labels as their names, in weight files and
        reports; so has an activation, if the label says that it is one (`relu1`).
        """
        not_executed: dict[int, set[str]] = {}
        definitions = _Definitions(network)
        for key, (label, item) in self.given.items():
            if key in self.used or isinstance(item, Scope) or item.weights:
                continue
            if item.op.kind not in _ELEMENTWISE or _says_what_it_is(label.value, item):
                continue
            part = definitions.around(label)
            if id(part) not in not_executed:
                not_executed[id(part)] = self.not_executed(part)
            if label.value not in not_executed[id(part)]:
                yield unused_label(label, item.word, item.span)

    def not_executed(self, definition: Statement | None) -> set[str]:
        """The labels that statements of a block or network refer to which were not executed: in an
        `if`, or in a loop without rounds. With other parameters, they would be.
        """
        return {
            value.value.partition(".")[0]
            for call in (parts_of(definition) if definition is not None else ())
            if isinstance(call, Call)
            for value in _words_in(call)
            if id(value) not in self.referring
        }


_ELEMENTWISE = frozenset({"activation", "dropout", "norm"})
"""Kinds of layers that are rarely named, but by who refers to them."""


def _says_what_it_is(label: str, node: Node) -> bool:
    """Whether a label is like the word of its layer: `relu1_2`, `drop6`, `act3`."""
    letters = re.sub(r"[\d_]+", "", label).lower()
    return node.word.startswith(letters) or node.op.kind.startswith(letters)


class _Definitions:
    """The blocks and networks that labels stand in."""

    def __init__(self, network: Network) -> None:
        self.statements = {spec.source: spec.statements for spec in network.program.files}

    def around(self, label: Name) -> Statement | None:
        statements = self.statements.get(label.span.source, ())
        at = bisect_right(statements, label.span.start, key=lambda one: one.span.start) - 1
        return statements[at] if at >= 0 else None


def _uses(label: Name, definition: Statement | None) -> list[Span]:
    """Where a block or network refers to a label of it: arguments, and labels of the same name."""
    found: list[Span] = []
    for node in parts_of(definition) if definition is not None else ():
        if isinstance(node, Call):
            for value in _words_in(node):
                if value.value.split(".")[0] == label.value:
                    start = value.span.start
                    found.append(Span(value.span.source, start, start + len(label.value)))
    return found


def _words_in(call: Call) -> list[Name | Path]:
    """The words in its arguments, which may be labels."""
    parts = [part for argument in call.arguments for part in parts_of(argument.value)]
    return [part for part in parts if isinstance(part, (Name, Path))]


def _is_inside(scope: Scope, around: Scope) -> bool:
    return any(outer is around for outer in scope.chain())


def _line(statements: Sequence[Statement], index: int) -> list[Statement]:
    """The statements of a line from a labeled one on, up to the next that has a label or begins
    elsewhere (`from`); without those that pass on what arrives.
    """
    line, end = [statements[index]], statements[index].span.end
    for statement in statements[index + 1 :]:
        span = statement.span
        head = statement.head.value if isinstance(statement, Call) else ""
        if re.search(r"[\r\n]", span.source.text[end : span.start]) or head == "from":
            break
        if getattr(statement, "label", None) is not None:
            break
        end = span.end
        passes = ("allow", "aux", "carry", "init", "output")
        if not isinstance(statement, Let) and head not in passes:
            line.append(statement)
    return line


def _written(statement: Statement) -> str:
    """A statement without its label and its body; one that is not a call by its word."""
    if not isinstance(statement, Call):
        return type(statement).__name__.lower()
    text = statement_span(statement).text
    return statement.head.value if "\n" in text else shorten(text)


def _owner(scope: Scope) -> Scope:
    """The nearest scope that has a namespace of its own."""
    return next(around for around in scope.chain() if around.has_name)


def not_one_map(span: Span, value: Maps, wanted: str = "one map is wanted here") -> Problem:
    """The error for a list in the place of a map."""
    name = span.text
    return Problem(
        "list-of-maps",
        f"`{name}` is {maps_in_words(value)}, and {wanted}",
        span,
        help=f"take one of them, `{name}[0]` to `{name}[-1]`, or merge them, `concat {name}`; for"
        f" each, write `list {{ for map in {name} {{ | from map, … }} }}`"
        if len(value)
        else "",
    )


def _arriving(scope: Scope) -> Node | Maps | None:
    """What arrives in the block, the round of a loop, or the network around."""
    for around in scope.chain():
        is_block = around.kind == "block" and around.word not in FORMS
        if is_block or around.kind in ("iteration", "network"):
            return around.input
    raise AssertionError(scope)


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
    left = item.output if isinstance(item, Scope) else None
    if isinstance(left, Maps) and part.isdigit():
        raise Problem(
            "list-of-maps",
            f"`{span.text}` is no map of {maps_in_words(left)}",
            span,
            help=f"items are chosen in brackets: `{span.text.rpartition('.')[0]}[{part}]`",
        )
    known = item.named if isinstance(item, Scope) else ()
    help, _ = did_you_mean(part, known, span)
    raise Problem(
        "unknown-label", f"nothing in it is labeled `{part}`", span, help=help or "label it there"
    )
