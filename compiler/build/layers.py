"""Layers: from a statement to an operation with its arguments."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Call, Name
from ..diagnose.blame import statement_span
from ..language.binding import bind
from ..language.evaluate import Env, Evaluated, evaluate_arguments, of_the_network
from ..language.problems import Problem, did_you_mean
from ..language.signature import ArgumentError
from ..language.values import Word
from ..language.vocabulary import StatementWords
from ..language.words_in_force import words_in_force
from ..network import Node
from ..ops import REGISTRY
from ..ops.base import Op
from ..shapes import AllAxes, axes_of
from .scoping import Module


class Layers:
    """Creates operations; equal statements with equal values share one operation."""

    def __init__(self) -> None:
        self.known: dict[object, Op] = {}

    def operation(self, word: str, call: Call, env: Env, module: Module, source: Node | None) -> Op:
        """The operation of a statement; `source` is its input, None if that is unknown."""
        try:
            arguments = evaluate_arguments(call.arguments, env)
        except Problem:
            from .layer_mistakes import PYTHON, unknown_layer

            if word in REGISTRY or word not in PYTHON:
                raise
            # `def part(width)`: nothing in it is a value.
            raise unknown_layer(word, call, module.blocks) from None
        axes = 0 if source is None else len(source.shape) - 1
        # The key includes types: `on` and 1 are equal in Python.
        key = (id(call), word, axes, tuple([(type(a.value), a.value) for a in arguments]))
        try:
            known = self.known.get(key)
        except TypeError:  # lists are not hashable
            return _make(word, call, arguments, env, module, source)
        if known is None:
            known = self.known[key] = _make(word, call, arguments, env, module, source)
        return known

    def merging(self, word: str) -> Op:
        """The operation that merges paths, the same one wherever they are merged alike."""
        op = self.known.get(word)
        if op is None:
            op = self.known[word] = REGISTRY[word]()
        return op


def _make(
    word: str,
    call: Call,
    arguments: Sequence[Evaluated],
    env: Env,
    module: Module,
    source: Node | None,
) -> Op:
    blocks = module.blocks
    kind = REGISTRY.get(word)
    if kind is None:
        kind, arguments = _by_second_word(word, call, arguments, blocks, env)
    if kind.needs_paths and call.body is None:
        from .layer_mistakes import missing_body

        raise missing_body(call, str(kind.signature()))
    owner = words_in_force().owners.get(kind.word)
    if owner is not None and owner not in module.plugins:
        from .layer_mistakes import of_a_plugin

        raise of_a_plugin(call, kind.word, owner)
    if not kind.paths:
        refuse_body(call, f"`{word}`")
    try:
        values = bind(call, kind.signature(), arguments, env, StatementWords(blocks))
    except Problem as problem:
        from .layer_mistakes import in_torch_order, two_words, units_of_an_activation

        known = in_torch_order(call, problem) or units_of_an_activation(call, kind, problem)
        if known is None and problem.diagnostic.code in ("missing-separator", "unknown-flag"):
            known = two_words(call)
        raise known or problem from None
    for argument in call.arguments:
        if argument.name in kind.sized_by:  # as written, also where a parameter stands for it
            values[argument.name] = argument.value.span.text
    default = module.defaults.get(kind.word)
    if default is not None:
        values = {**default.values, **values}
    sizes = {name: v for name in kind.per_axis if isinstance(v := values.get(name), tuple)}
    given = {len(size) for size in sizes.values() if not isinstance(size, AllAxes)}
    axes = 0 if source is None else axes_of(source.shape)
    if source is not None and given - {axes} and axes in kind.spatial_axes:
        from .layer_mistakes import other_axes

        raise other_axes(call, arguments, sizes, source)
    if axes not in kind.spatial_axes:  # reported where it is applied
        axes = given.pop() if given else 2
        if given:
            return kind(**values)
    op = kind(**values).on_axes(axes)
    try:
        op.check()
    except ArgumentError as error:
        raise Problem(
            "argument",
            error.message,
            statement_span(call),
            labels=(Label(default.call.span, "gives its arguments here, too"),)
            if default is not None
            else (),
            help=error.help,
            edits=without(error.drop, call),
        ) from None
    return op


def without(name: str, call: Call) -> tuple[Edit, ...]:
    """The edit that removes an argument from a call."""
    for argument in call.arguments:
        flag = isinstance(argument.value, Name) and argument.value.value == name
        if name and (argument.name == name or (argument.name is None and flag)):
            span = argument.span
            return (Edit(Span(span.source, span.start - 1, span.end), ""),)
    return ()


def _by_second_word(
    word: str, call: Call, arguments: Sequence[Evaluated], blocks: Collection[str], env: Env
) -> tuple[type[Op], Sequence[Evaluated]]:
    """A layer whose kind is its first argument: `pool max`."""
    kinds = sorted(name.split(" ", 1)[1] for name in REGISTRY if name.startswith(word + " "))
    if not kinds:
        from .layer_mistakes import unknown_layer

        raise of_the_network(call.head.span, word, env) or unknown_layer(word, call, blocks)
    listed = ", ".join(f"`{word} {kind}`" for kind in kinds)
    # The kind may be anywhere among the arguments: `pool 2 max` is as clear as `pool max 2`.
    for index, (node, value) in enumerate(arguments):
        if node.name is None and isinstance(value, Word) and str(value) in kinds:
            rest = [a for i, a in enumerate(arguments) if i != index]
            return REGISTRY[f"{word} {value}"], rest
    from .layer_mistakes import usual_kind, usual_kind_with

    first = arguments[0] if arguments and arguments[0].node.name is None else None
    if first is None or not isinstance(first.value, Word):
        usual = usual_kind(word, call, kinds)
        raise Problem(
            "missing-argument",
            f"`{word}` needs a kind",
            call.head.span,
            notes=(f"there are {listed}",),
            help=f"write `{usual}`" if usual else "",
            edits=(Edit(statement_span(call), usual),) if usual else (),
        )
    help, edits = did_you_mean(str(first.value), kinds, first.node.span)
    usual = usual_kind_with(word, str(first.value), call, kinds)
    if usual:
        help, edits = f"write `{usual}`", (Edit(statement_span(call), usual),)
    raise Problem(
        "unknown-kind",
        f"there is no `{word} {first.value}`",
        first.node.span,
        help=help or f"there are {listed}",
        edits=edits,
    )


def refuse_body(call: Call, what: str) -> None:
    if call.body is not None:
        start = call.body.span.start
        raise Problem(
            "unexpected-body",
            f"{what} takes no body",
            Span(call.span.source, start, start + 1),
            help="write the next layer after it, separated by a comma or a new line",
        )
