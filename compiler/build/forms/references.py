"""Forms that refer to labels: `from` continues from a layer, `share` applies it once more with the
same weights, `carry` hands it on to the next round of a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from ....dsl.diagnostics import Edit, Label
from ....dsl.source import Span
from ....dsl.syntax import (
    Argument,
    Binary,
    Body,
    Call,
    Conditional,
    Expression,
    For,
    Item,
    List,
    Name,
    OutputName,
    Repeat,
    Statement,
)
from ...diagnose.blame import first_line, statement_span
from ...language.evaluate import (
    Env,
    describe,
    evaluate_list,
    maps_among,
    maps_in_words,
    maps_together,
    truth,
)
from ...language.problems import Problem, Quiet, did_you_mean
from ...language.values import MapRef, Maps, Word
from ...network import Node, Scope, nodes_of
from ...ops.base import Op
from ...shapes import text
from ..graph_builder import Arriving, GraphBuilder, MaybeNode
from ..labels import not_one_map
from ..layers import refuse_body


def reference(
    graph: GraphBuilder, argument: Argument, scope: Scope, env: Env, wanted: str = ""
) -> Node:
    """The map that an argument refers to; `wanted` says why a list of them is none."""
    value = referred_to(graph, argument, scope, env)
    if isinstance(value, Maps):
        raise not_one_map(argument.span, value, wanted or "one map is wanted here")
    return value


def referred_to(graph: GraphBuilder, argument: Argument, scope: Scope, env: Env) -> Node | Maps:
    """What an argument refers to: a label, an item of a list of maps, `[one, two]`."""
    value = _referred_to(graph, argument, scope, env)
    if isinstance(value, Maps):
        graph.fuel.spend(len(value), argument.span)
        scope.reads_list(value)
    return value


def _referred_to(graph: GraphBuilder, argument: Argument, scope: Scope, env: Env) -> Node | Maps:
    """The same; a parameter that is no label is told apart from a word that is nothing."""
    value = argument.value
    while argument.name is None and isinstance(value, Conditional):
        value = value.value if truth(value.condition, env) else value.otherwise
        argument = Argument(value.span, None, value)
    if argument.name is None and isinstance(value, Item | List | Binary):
        try:
            found = evaluate_list(value, env)
            if isinstance(found, list):
                found = maps_together(maps_among(value, found, env), value, env)
        except Problem as problem:
            raise _sum_of_labels(value, env, problem) or _unknown_label(problem) from None
        if isinstance(found, MapRef | Maps):
            return found.node if isinstance(found, MapRef) else found
        if not isinstance(found, Word):
            raise Problem(
                "argument",
                f"`{value.span.text}` is {describe(found)}, not a map",
                value.span,
                help="use a label from an earlier line, or an item of a list of maps: `maps[0]`",
            )
    if isinstance(value, Name) and env.has(value.value) and not graph.labels.knows(value, scope):
        known = env.find(value.value)
        if isinstance(known, MapRef | Maps):
            return known.node if isinstance(known, MapRef) else known
        raise Problem(
            "argument",
            f"`{value.value}` is {describe(env.find(value.value))} here, not a label",
            value.span,
            help="call the block with a label in its place: `first: conv 8`, then `cell first`",
        )
    return graph.labels.value(argument, scope)


def _sum_of_labels(value: Expression, env: Env, problem: Problem) -> Problem | None:
    """The error for `add a + b`."""
    if problem.diagnostic.code not in ("unknown-name", "list-of-maps"):
        return None
    names: list[str] = []
    nodes: list[Expression] = [value]
    part = value
    while isinstance(part, Binary) and part.operator == "+" and isinstance(part.right, Name):
        names.insert(0, part.right.value)
        nodes += [part.right, part.left]
        part = part.left
    if not names or not isinstance(part, Name):
        return None
    if env.labeled is not None and any(isinstance(env.labeled(node), Maps) for node in nodes):
        return None  # lists are joined by `+`
    written = " ".join([part.value, *names])
    return Problem(
        "argument",
        f"`{value.span.text}` is a sum of values; labels are separated by spaces",
        value.span,
        help=f"write `{written}`",
        edits=(Edit(value.span, written),),
        otherwise=f"give the layers labels (`{part.value}: conv 64`), then write `{written}`",
    )


def _unknown_label(problem: Problem) -> Problem:
    """The error for `concat [a, b]` without such labels."""
    diagnostic = problem.diagnostic
    place = diagnostic.span
    if diagnostic.code != "unknown-name" or diagnostic.edits or place is None:
        return problem
    return Problem(
        "unknown-label",
        f"nothing before this is labeled `{place.text}`",
        place,
        help=f"label the layer itself: `{place.text}: conv 64 3x3`",
    )


def sized_by(graph: GraphBuilder, op: Op, call: Call, scope: Scope, env: Env) -> tuple[Node, ...]:
    """The maps whose size a layer reads: `upsample like=stem`."""
    given = [each for each in call.arguments if each.name in op.sized_by]
    return tuple(
        [reference(graph, Argument(a.value.span, None, a.value), scope, env) for a in given]
    )


def from_(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
) -> Arriving:
    """Executes `from`: continues from a labeled layer."""
    refuse_body(call, "`from`")
    if len(call.arguments) != 1:
        raise Problem(
            "argument",
            "`from` takes the label of the layer to continue from",
            statement_span(call),
            help="write `from name`, with a label from an earlier line",
        )
    value = referred_to(graph, call.arguments[0], scope, env)
    if isinstance(value, Maps) and not value.nodes:
        raise Problem(
            "list-of-maps",
            f"`{call.arguments[0].span.text}` is an empty list: there is nothing to continue from",
            call.arguments[0].span,
        )
    if call.label is not None and not isinstance(call.label, OutputName):
        graph.labels.alias(call.label, scope, value)
    if isinstance(input_node, Node) and input_node is not value:
        graph.left_at[input_node.index] = statement_span(call)
    return value


def share(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `share`: applies what a label names once more, with the same weights. A block that
    was given maps by name gets the same ones, or those that are named after it."""
    refuse_body(call, "`share`")
    if not call.arguments or not isinstance(call.arguments[0].value, Name):
        raise Problem(
            "argument",
            "`share` takes the label of a layer or block before it",
            statement_span(call),
            help="label it, `tower: conv 64 3x3`, and write `share tower` where it applies again",
        )
    place = call.arguments[0].span
    item = graph.labels.referred(call.arguments[0], scope)
    if input_node is None:
        return None
    inner = Scope(
        "block", "share", call.span, scope, call.label.value if call.label else None,
        arguments=(("label", place.text),),
    )  # fmt: skip
    inner.shares = item
    others = call.arguments[1:]
    if others and not (isinstance(item, Scope) and item.kind == "block" and item.maps):
        raise Problem(
            "argument",
            f"`{place.text}` takes no maps by name, so `share` gives it none",
            others[0].span,
            help=f"write `share {place.text}`: it applies to what arrives",
            edits=(Edit(Span(place.source, place.end, others[-1].span.end), ""),),
        )
    if isinstance(item, Node):
        if len(item.inputs) != 1:
            raise _not_shared(item, place, "is not a layer of one input")
        node: MaybeNode = graph.apply(item.op, (input_node,), call, inner)
    else:
        statement = item.statement
        if statement is None or item.env is None:
            return None
        # Only what it computes: whether that is an output is said where it is applied.
        if isinstance(statement, Call) and item.word == "output" and statement.body is not None:
            left = graph.body(statement.body, inner, item.env, input_node)
        else:
            again = _with_other_maps(item, _with_plain_label(statement), others)
            left = graph.statement(again, inner, item.env, input_node)
        if isinstance(left, Maps):
            raise _not_shared(item, place, f"leaves {maps_in_words(left)}")
        node = left
    if node is None:
        return None
    _pair_with_shared(item, inner, place)
    _must_be_given_alike(item, inner, place)
    return graph.named(call.label, scope, inner, node)


def _with_other_maps(item: Scope, statement: Statement, others: Sequence[Argument]) -> Statement:
    """The call of a block with other maps in the place of those that it was given."""
    if not others:
        return statement
    assert isinstance(statement, Call)
    assert item.definition is not None
    order = [parameter.name.value for parameter in item.definition.parameters]
    named = {argument.name for argument in statement.arguments if argument.name}
    waiting = iter([name for name in order if name not in named])
    given = [(each.name or next(waiting, ""), each) for each in statement.arguments]
    free = [name for name, _ in given if name in item.maps]
    if len(others) > len(free):
        maps = "one map" if len(free) == 1 else f"{len(free)} maps"
        raise Problem(
            "too-many-arguments",
            f"`{item.word}` was given {maps} by name, and here are {len(others)}",
            others[len(free)].span,
            labels=(Label(first_line(item.span), "where it was called"),),
        )
    unknown = next((each for each in others if each.name and each.name not in free), None)
    if unknown is not None:
        raise Problem(
            "argument",
            f"`{item.word}` was not given a map by the name `{unknown.name}`",
            unknown.span,
            labels=(Label(first_line(item.span), "where it was called"),),
            help=f"it was given {' and '.join(f'`{name}`' for name in free)}",
        )
    instead = {each.name: each for each in others if each.name}
    open_names = [name for name in free if name not in instead]
    unnamed = [each for each in others if not each.name]
    instead |= dict(zip(open_names, unnamed, strict=False))
    arguments = tuple(
        Argument(instead[name].span, each.name, instead[name].value) if name in instead else each
        for name, each in given
    )
    return Call(statement.span, statement.label, statement.head, arguments, statement.body)


def _with_plain_label(statement: Statement) -> Statement:
    label = getattr(statement, "label", None)
    if not isinstance(label, OutputName):
        return statement
    kind: Any = type(statement)
    plain = Name(label.span, label.value)
    parts = [getattr(statement, part) for part in kind.written]
    found: Statement = kind(*[plain if part is label else part for part in parts])
    return found


def _pair_with_shared(item: Scope | Node, inner: Scope, place: Span) -> None:
    """Connects the layers of a `share` with those that have the weights."""
    originals = list(item.nodes()) if isinstance(item, Scope) else [item]
    copies = list(inner.nodes())
    if [type(node.op) for node in originals] != [type(node.op) for node in copies]:
        raise _not_shared(item, place, "has other layers for what arrives here")
    if originals[0].aux != originals[-1].aux or any(node.aux != copies[0].aux for node in copies):
        raise _not_shared(item, place, "has an auxiliary head, which is trained once")
    start, given = originals[0].index, _given_maps(item)
    for node in originals:
        outside = [each for each in node.inputs if each.index < start and each not in given]
        if any(each is not _arriving(originals) for each in outside):
            raise _not_shared(item, place, f"reads `{outside[-1].label or 'layers'}` from outside")
    for original, copy in zip(originals, copies, strict=True):
        first = original.shared or original
        wanted = first.op.weights(*first.input_shapes)
        if wanted and copy.op.weights(*copy.input_shapes) != wanted:
            arrived = first.inputs[0].shape
            raise Problem(
                "shape",
                f"the weights of `{place.text}` are for {text(arrived)}, and"
                f" {text(copy.inputs[0].shape)} arrives at the same"
                f" `{copy.op.word}` here",
                place,
                labels=(Label(first_line(first.span), "has the weights"),),
                help="shared weights need the same number of channels: adapt them before, `conv"
                f" {arrived[0]} 1x1`",
            )
        copy.shared = first


def _must_be_given_alike(item: Scope | Node, inner: Scope, place: Span) -> None:
    """Raises Problem if a block gets one map twice here, but two maps before: its module has an
    argument for each map."""
    calls = [each for each in inner.children if isinstance(each, Scope)]
    if not isinstance(item, Scope) or not item.maps or len(calls) != 1:
        return
    before = {"what arrives": item.input, **{f"`{name}`": m for name, m in item.maps.items()}}
    now = {"what arrives": calls[0].input}
    now |= {f"`{name}`": node for name, node in calls[0].maps.items()}
    for first, second in combinations(before, 2):
        if now[first] is now[second] and before[first] is not before[second]:
            reason = f"gets one map as {first} and as {second} here, and was given two before"
            raise _not_shared(item, place, reason)


def _given_maps(item: Scope | Node) -> list[Node]:
    """The maps that a block is given by name, which a `share` of it is given, too."""
    given = item.maps.values() if isinstance(item, Scope) else ()
    return [node for value in given for node in nodes_of(value)]


def _arriving(nodes: Sequence[Node]) -> Node | None:
    """What arrives at the first of the layers."""
    return nodes[0].inputs[0] if nodes and nodes[0].inputs else None


def _not_shared(item: Scope | Node, place: Span, reason: str) -> Problem:
    return Problem(
        "share",
        f"`{place.text}` cannot be shared: it {reason}",
        place,
        labels=(Label(first_line(item.span), "what it names"),),
        help="share a layer, or a block, form or loop that only reads what arrives at it",
    )


def carried_at_first(
    graph: GraphBuilder, statement: Repeat | For, scope: Scope
) -> dict[str, Node | Maps | None]:
    """What the first round of a loop reads by the names that its last line, `carry`, gives."""
    last = _last_line(statement)
    state: dict[str, Node | Maps | None] = {}
    for argument in last.arguments if last is not None else ():
        if argument.name is None or argument.name in state:
            continue  # reported when it is executed
        name = Name(argument.name_span, argument.name)
        if not graph.labels.knows(name, scope):
            help, edits = did_you_mean(name.value, graph.labels.visible(scope), name.span)
            raise Problem(
                "unknown-label",
                f"nothing before this loop is labeled `{name.value}`, for its first round",
                name.span,
                help=help or f"label what the first round reads: `{name.value}: conv 64 3x3`",
                edits=edits,
            )
        graph.labels.refuse_half_carried(name, scope)
        try:
            state[name.value] = graph.labels.value(Argument(name.span, None, name), scope)
        except Quiet:
            state[name.value] = None
    return state


def _last_line(statement: Statement | None) -> Call | None:
    """The `carry` that a loop ends in."""
    if not isinstance(statement, Repeat | For) or not isinstance(statement.body, Body):
        return None
    last = statement.body.statements[-1] if statement.body.statements else None
    return last if isinstance(last, Call) and last.head.value == "carry" else None


_CARRY = "write `carry name=label` for each, as in `carry first=second second=third`"


def carry(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
) -> Arriving:
    """Executes `carry`: says which layer a label refers to in the next round of the loop."""
    refuse_body(call, "`carry`")
    if scope.kind != "iteration" or _last_line(scope.statement) is not call:
        raise Problem(
            "misplaced-carry",
            "`carry` is the last line of the body of a `repeat` or `for`: it says what its labels"
            " are in the next round",
            statement_span(call),
            help="move it to the end of the loop"
            if scope.kind == "iteration"
            else "what is read once more needs a label only: `name: …`, then `from name`",
        )
    if not call.arguments:
        raise Problem("missing-argument", "`carry` carries nothing", call.head.span, help=_CARRY)
    carried: dict[str, Node | Maps | None] = {}
    for argument in call.arguments:
        if argument.name is None:
            raise Problem(
                "argument",
                f"`carry` needs the label that is `{argument.span.text}` in the next round",
                argument.span,
                help=f"write `carry name={argument.span.text}`, with a label from before the loop",
            )
        if argument.name in carried:
            raise Problem(
                "repeated-argument", f"`{argument.name}` is carried twice", argument.span,
                help="keep one of them",
            )  # fmt: skip
        value = Argument(argument.value.span, None, argument.value)
        carried[argument.name] = referred_to(graph, value, scope, env)
    scope.carried = carried
    return input_node
