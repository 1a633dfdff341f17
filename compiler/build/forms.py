"""Forms, which combine layers: residual, dense, gate, concat, split, output, aux, from, allow. A
form is a word with a body of its own kind. Each function executes one, calling the walker for its
bodies, and returns its output node; None if an error inside has been reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import (
    Argument,
    Body,
    Branches,
    Call,
    For,
    If,
    Name,
    OutputName,
    Path,
    Repeat,
    Statement,
    arms_of,
    holds_paths,
    makers_of,
)
from ..diagnose.blame import arrives, first_line, statement_span
from ..diagnose.mend import ceil_all, give_channels, pad_all
from ..language.binding import bind
from ..language.evaluate import Env, describe, evaluate_arguments, unknown_name
from ..language.kinds import choice, number
from ..language.problems import Problem, Quiet, did_you_mean
from ..language.signature import Signature, declare
from ..language.values import Word
from ..language.vocabulary import SHORTCUTS
from ..network import Node, Output, Scope
from ..ops.base import REGISTRY, Op
from ..ops.merge import Chunk, Merge, Scaled
from ..shapes import ShapeError, text
from .graph_builder import GraphBuilder, MaybeNode
from .initial import INIT, init
from .layers import refuse_body
from .shortcuts import shortcut, stride_beside

_RESIDUAL = declare(
    "residual",
    shortcut=choice("the path that the body is added to", SHORTCUTS, "auto"),
    scale=number("factor of the body's output, before it is added", 1.0),
)
_AUX = declare("aux", weight=number("weight of its loss", 0.3, minimum=0))
SIGNATURES: dict[str, Signature] = {
    "residual": _RESIDUAL,
    "aux": _AUX,
    "init": INIT,
    **{word: declare(word) for word in ("dense", "gate")},
}
"""Signatures of forms with named arguments, or without any; other forms read theirs themselves."""


def _arguments(graph: GraphBuilder, call: Call, signature: Signature, env: Env) -> dict[str, Any]:
    given = bind(call, signature, evaluate_arguments(call.arguments, env), env, graph.words)
    default = graph.module.defaults.get(signature.word)
    return given if default is None else {**default.values, **given}


def _scope(call: Call, scope: Scope) -> Scope:
    label = call.label.value if call.label else None
    return Scope("form", call.head.value, call.span, scope, label)


def _need_body(call: Call, usage: str) -> Body | Branches:
    if call.body is None:
        from .layer_mistakes import missing_body

        raise missing_body(call, usage)
    return call.body


def _merge(
    graph: GraphBuilder,
    word: str,
    call: Call,
    scope: Scope,
    inputs: Sequence[Node],
    labels: Sequence[Label],
    help: str = "",
    edits: tuple[Edit, ...] = (),
    bodies: Sequence[Body | Branches] = (),
) -> Node:
    """Adds a node that merges paths, or reports an error that shows where each path comes from."""
    op = REGISTRY[word]()
    try:
        for node in inputs:
            op.refuse_axes(node.shape)
        if isinstance(op, Merge) and call.head.value == "residual":
            op.refuse_different(*[node.shape for node in inputs])
        shape = op.output(*[node.shape for node in inputs])
    except ShapeError as error:
        uneven = _only_some_round_up(inputs)
        if uneven and not help:
            help = "give `ceil` to the pools of all paths, or of none"
        raise Problem(
            "shape",
            error.message,
            call.head.span,
            label=_does(call),
            labels=tuple(labels),
            notes=("`ceil` rounds the size up; without it a pool rounds down",) * uneven,
            help=help or error.help,
            edits=edits,
            proposals=() if edits else _proposals(bodies, inputs, uneven),
        ) from None
    return graph.add(op, tuple(inputs), shape, call.head.span, scope)


def _only_some_round_up(ends: Sequence[Node]) -> bool:
    """Whether of paths with maps of different sizes some have a pool with `ceil`, others none."""
    if len({end.shape[1:] for end in ends}) < 2:
        return False
    paths = [list(_upwards(end)) for end in ends]
    shared = set.intersection(*[{id(node) for node in path} for path in paths])
    own = [[node for node in path if id(node) not in shared] for path in paths]
    round_up = [any(node.op.arguments.get("ceil") for node in path) for path in own]
    return any(round_up) and not all(round_up)


def _upwards(node: Node) -> Iterator[Node]:
    """A layer and those before it, along their first inputs."""
    yield node
    while node.inputs:
        node = node.inputs[0]
        yield node


def _proposals(
    bodies: Sequence[Body | Branches], inputs: Sequence[Node], uneven: bool
) -> Iterator[tuple[Edit, ...]]:
    """Candidate fixes: sizes rounded alike, padding that keeps the size, the channels of another
    path, or both.
    """
    if uneven:
        rounded = [ceil_all(body) for body in bodies]
        yield from filter(None, rounded)
        yield tuple(edit for edits in rounded for edit in edits)
    padded = [pad_all(body) for body in bodies]
    yield from filter(None, padded)
    if len(padded) > 1:
        yield tuple(edit for edits in padded for edit in edits)
    for body, padding in zip(reversed(bodies), reversed(padded), strict=True):
        for channels in dict.fromkeys(node.shape[0] for node in inputs):
            filters = give_channels(body, channels)
            if filters:
                yield filters
                yield (*padding, *filters)


def _does(call: Call) -> str:
    return {
        "residual": "adds its input to its body",
        "dense": "puts its input and its body side by side",
        "gate": "multiplies its input by its body",
    }.get(call.head.value, "merges these")


def _end(node: Node, body: Body | Branches, what: str) -> Label:
    """A label for the last line of a path, with its output shape."""
    label = arrives(node)
    inside = body.span.start <= node.span.start < body.span.end
    if inside and label.span.source is body.span.source:
        return Label(label.span, f"{what} ends in {text(node.shape)}")
    return Label(label.span, f"{what} is {text(node.shape)}, from here")


# ---- residual and its relatives --------------------------------------------------------------


def residual(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `residual`: input + body; if the shapes differ, the input passes through a
    shortcut.
    """
    syntax = _need_body(call, "residual { conv 64 3x3 same, bn, relu, … }")
    arguments = _arguments(graph, call, _RESIDUAL, env)
    kind = arguments.get("shortcut", "auto")
    scale = arguments.get("scale", 1.0)
    inner = _scope(call, scope)
    if isinstance(syntax, Branches):
        output = _two_paths(graph, call, syntax, scale, inner, env, input_node)
        return graph.named(call.label, scope, inner, output)
    body = graph.body(syntax, inner, env, input_node)
    if body is None or input_node is None:
        return None
    if body is input_node:
        raise Problem(
            "empty-body",
            "the body of this `residual` is empty, so it adds nothing",
            call.head.span,
            help="write layers into it",
        )
    if kind == "match" and body.shape != input_node.shape:
        return graph.named(call.label, scope, inner, body)
    body = _scaled(graph, scale, body, inner)
    shortcut = _shortcut(graph, kind, call, inner, input_node, body)
    labels = (_end(input_node, syntax, "the input"), _end(body, syntax, "the body"))
    help, edits = _mend_residual(call, kind, input_node, body)
    output = _merge(
        graph,
        "add",
        call,
        inner,
        (body, shortcut),
        labels,
        help,
        edits,
        [syntax],
    )
    graph.residual_sums.append(output)
    return graph.named(call.label, scope, inner, output)


def _two_paths(
    graph: GraphBuilder,
    call: Call,
    syntax: Branches,
    scale: float,
    inner: Scope,
    env: Env,
    input_node: MaybeNode,
) -> MaybeNode:
    built = _build_paths(graph, syntax, inner, env, input_node)
    if built is None:
        return None
    ends = [end for end, _ in built]
    if len(ends) != 2:
        raise _not_two(call, len(ends))
    labels = (
        _end(ends[0], syntax.paths[0], "the body"),
        _end(ends[1], syntax.paths[1], "the shortcut"),
    )
    ends[0] = _scaled(graph, scale, ends[0], inner)
    output = _merge(graph, "add", call, inner, ends, labels, bodies=syntax.paths)
    graph.residual_sums.append(output)
    return output


def _not_two(call: Call, count: int) -> Problem:
    return Problem(
        "paths",
        f"a `residual` has two paths, its body and its shortcut; here there are {count}",
        call.head.span,
        help="write `residual { | body | shortcut }`, or `add { | … | … | … }` for more",
    )


def _scaled(graph: GraphBuilder, scale: float, body: Node, scope: Scope) -> Node:
    if scale == 1:
        return body
    return graph.add(Scaled(factor=scale), (body,), body.shape, body.span, scope)


def _shortcut(
    graph: GraphBuilder, kind: str, call: Call, scope: Scope, input_node: Node, body: Node
) -> Node:
    """The output of the shortcut."""
    try:
        ops = shortcut(kind, input_node, body)
    except ShapeError:
        return input_node  # the addition will report the mismatch
    # A projection has a name, as a block has one.
    inner = Scope("block", "shortcut", call.head.span, scope) if len(ops) > 1 else scope
    node = input_node
    for op in ops:
        default = graph.module.defaults.get(op.word) if op.kind == "norm" else None
        op = op if default is None else op.replace(**{**default.values, **vars(op)})
        shape = op.output(node.shape)
        node = graph.add(op, (node,), shape, call.head.span, inner)
    if inner is not scope:
        inner.output = node
    return node


def _mend_residual(
    call: Call, kind: str, input_node: Node, body: Node
) -> tuple[str, tuple[Edit, ...]]:
    """Help for a residual whose shapes differ."""
    if input_node.shape == body.shape:
        return "", ()
    try:
        stride_beside(input_node, body)
    except ShapeError as error:
        return error.help, ()
    if kind not in ("identity", "pad"):
        return "", ()
    place = next(a.value.span for a in call.arguments if a.name == "shortcut" or a.name is None)
    help = "write `shortcut=auto` for a 1x1 projection"
    if input_node.shape[1:] == body.shape[1:]:
        help += f", or end the body with `conv {input_node.shape[0]} 1x1`"
    return help, (Edit(place, "auto"),)


def dense(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `dense`: concatenates input and body by channels."""
    return _with_input(
        graph, word, "concat", call, scope, env, input_node, "dense { bn, relu, conv 32 }"
    )


def gate(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `gate`: input times body, broadcast over the map if the body is 1x1."""
    usage = "gate { pool avg global, conv channels 1x1, sigmoid }"
    return _with_input(graph, word, "mul", call, scope, env, input_node, usage)


def _with_input(
    graph: GraphBuilder,
    word: str,
    merged_by: str,
    call: Call,
    scope: Scope,
    env: Env,
    input_node: MaybeNode,
    usage: str,
) -> MaybeNode:
    syntax = _need_body(call, usage)
    _arguments(graph, call, SIGNATURES[word], env)
    inner = _scope(call, scope)
    body = graph.body(syntax, inner, env, input_node)
    if body is None or input_node is None:
        return None
    labels = (_end(input_node, syntax, "the input"), _end(body, syntax, "the body"))
    output = _merge(graph, merged_by, call, inner, (input_node, body), labels, bodies=[syntax])
    return graph.named(call.label, scope, inner, output)


def refuse_made_paths(statement: If | Repeat | For) -> None:
    """Refuses a loop or `if` that makes paths, but not for the form around it."""
    bodies = [statement.body] if not isinstance(statement, If) else arms_of(statement)
    for body in bodies:
        if isinstance(body, Branches):
            word = type(statement).__name__.lower()
            start = body.paths[0].span.start
            raise Problem(
                "paths",
                f"this `{word}` makes paths within a path, which goes on after them",
                Span(statement.span.source, start, start + 1),
                labels=(Label(first_line(statement.span), "makes the paths"),),
                help="end the path before it, since what makes paths of a form stands last in it;"
                " or merge these paths here, with a form of their own",
            )


# ---- paths -----------------------------------------------------------------------------------


def _build_paths(
    graph: GraphBuilder,
    syntax: Body | Branches,
    scope: Scope,
    env: Env,
    input_node: MaybeNode,
) -> list[tuple[Node, Body]] | None:
    """The ends of all paths with their syntax, those that loops and `if`s make among them."""
    ends: list[tuple[MaybeNode, Body]] = []

    def collect(branches: Branches, around: Scope, env: Env) -> None:
        for path in branches.paths:
            makers = makers_of(path)
            own = path
            if makers:
                written = path.statements[: len(path.statements) - len(makers)]
                own = graph.cut.setdefault(id(path), Body(path.span, written))
            inner = Scope(
                "path", "path", path.span, around, index=len(ends), count=len(branches.paths)
            )
            graph.collector = None
            try:
                inner.output = graph.body(own, inner, env, input_node)
            finally:
                graph.collector = collect
            ends.append((inner.output, path))
            for maker in makers:
                graph.statement(maker, around, env, input_node)

    outside, graph.collector = graph.collector, collect
    try:
        if isinstance(syntax, Branches):
            collect(syntax, scope, env)
        else:
            graph.body(syntax, scope, env, input_node)
    finally:
        graph.collector = outside
    known = [(end, path) for end, path in ends if end is not None]
    return known if len(known) == len(ends) else None


def merge(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `concat { | path | path }`, or `concat name other` with labeled layers."""
    word = "concat" if word == "inception" else word
    if call.body is None:
        return _merge_named(graph, word, call, scope, env, input_node)
    if call.arguments:
        raise Problem(
            "too-many-arguments",
            f"`{call.head.value}` takes names or paths, not both",
            call.arguments[0].span,
            help=f"write `{call.head.value} {{ | path | path }}`",
        )
    if not holds_paths(call.body):
        assert isinstance(call.body, Body)
        raise _no_bars(call, call.body, f"{call.head.value} {{ | path | path }}")
    inner = _scope(call, scope)
    built = _build_paths(graph, call.body, inner, env, input_node)
    if built is None:
        return None
    ends = [end for end, _ in built]
    if len(ends) == 1 and not (
        isinstance(call.body, Branches) and call.body.paths[0] is built[0][1]
    ):
        return graph.named(call.label, scope, inner, ends[0])  # a loop of one round
    labels = [_end(end, path, f"path {index}") for index, (end, path) in enumerate(built, 1)]
    bodies = [path for _, path in built]
    output = _merge(graph, word, call, inner, ends, labels, bodies=bodies)
    return graph.named(call.label, scope, inner, output)


def _no_bars(call: Call, syntax: Body, usage: str) -> Problem:
    """The error for paths that do not begin with `|`."""
    start = syntax.span.start
    return Problem(
        "stray-bar",
        f"each path of `{call.head.value}` begins with `|`",
        Span(call.span.source, start, start + 1),
        help=f"write `{usage}`",
        otherwise=f"write `{usage}`",
        edits=(Edit(Span(call.span.source, start + 1, start + 1), " |"),),
    )


def _merge_named(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """The current input, then the named layers; in the order written if the input is among them."""
    if not call.arguments:
        raise Problem(
            "missing-argument",
            f"`{call.head.value}` merges paths, and there are none",
            call.head.span,
            help=f"write `{call.head.value} {{ | path | path }}`, or name them: "
            f"`{call.head.value} left right`",
        )
    references = [
        (_reference(graph, argument, scope, env), argument) for argument in call.arguments
    ]
    if input_node is None:
        return None
    nodes = [node for node, _ in references]
    labels = [
        Label(argument.span, f"`{argument.span.text}` is {text(node.shape)}")
        for node, argument in references
    ]
    if all(node is not input_node for node in nodes):
        nodes.insert(0, input_node)
        labels.insert(0, arrives(input_node))
    output = _merge(graph, word, call, scope, nodes, labels)
    if call.label is not None:
        output.label = call.label.value
        graph.labels.enter(call.label, scope, output)
    return output


def layer_with_body(
    graph: GraphBuilder,
    op: Op,
    call: Call,
    syntax: Body | Branches,
    scope: Scope,
    env: Env,
    input_node: Node,
) -> MaybeNode:
    """A layer that reads further inputs, from its body: `attention { | queries | keys | values }`,
    `condconv 64 { routing }`.
    """
    names, inner = op.paths, _scope(call, scope)
    inputs: list[Node] | None
    if len(names) == 1:
        own = graph.body(syntax, inner, env, input_node)
        inputs = None if own is None else [input_node, own]
    else:
        if isinstance(syntax, Body):
            raise _no_bars(call, syntax, f"{call.head.value} {op.body_usage()}")
        if len(syntax.paths) != len(names):
            raise Problem(
                "paths",
                f"`{call.head.value}` reads {len(names)} paths, {', '.join(names)}; here there are"
                f" {len(syntax.paths)}",
                call.head.span,
                help=f"write `{call.head.value} {op.body_usage()}`; an empty path is the input",
            )
        built = _build_paths(graph, syntax, inner, env, input_node)
        inputs = None if built is None else [end for end, _ in built]
    if inputs is None:
        return None
    output = graph.apply(op, tuple(inputs), call, inner)
    return graph.named(call.label, scope, inner, output)


def split(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `split`: divides the channels among the paths, then concatenates the results."""
    syntax = _need_body(call, "split { | path | path }")
    if isinstance(syntax, Body) or len(syntax.paths) < 2:
        raise Problem(
            "paths",
            "`split` divides the channels among two or more paths",
            call.head.span,
            help="write `split { | path | path }`; an empty path passes its share on",
        )
    sizes = _sizes(call, syntax, env, input_node) if call.arguments else None
    inner = _scope(call, scope)
    count = len(syntax.paths)
    ends: list[Node | None] = []
    for index, path in enumerate(syntax.paths):
        within = Scope("path", "path", path.span, inner, index=index, count=count)
        part: Node | None = None
        if input_node is not None:
            op = Chunk(index=index, count=count, sizes=sizes)
            try:
                shape = op.output(input_node.shape)
            except ShapeError as error:
                raise Problem(
                    "shape",
                    error.message,
                    call.head.span,
                    labels=(arrives(input_node),),
                    help=error.help,
                ) from None
            part = graph.add(op, (input_node,), shape, call.head.span, within)
        within.output = graph.body(path, within, env, part)
        ends.append(within.output)
    nodes = [end for end in ends if end is not None]
    if len(nodes) < count:
        return None
    labels = [
        _end(end, path, f"path {index}")
        for index, (end, path) in enumerate(zip(nodes, syntax.paths, strict=True), 1)
    ]
    output = _merge(graph, "concat", call, inner, nodes, labels, bodies=syntax.paths)
    return graph.named(call.label, scope, inner, output)


def _sizes(call: Call, syntax: Branches, env: Env, input_node: MaybeNode) -> tuple[int, ...]:
    """The channels of each path: `split 12 12 60 { | … | … | … }`."""
    sizes: list[int] = []
    for argument, size in evaluate_arguments(call.arguments, env):
        if isinstance(size, Word):
            raise unknown_name(argument.value, env)
        if argument.name is not None or type(size) is bool or not isinstance(size, int) or size < 1:
            raise Problem(
                "argument",
                f"`split` takes a number of channels for each path, not `{argument.span.text}`",
                argument.span,
                help="write whole numbers of at least 1: `split 16 48 { | … | … }`",
            )
        sizes.append(size)
    if len(sizes) != len(syntax.paths):
        raise Problem(
            "paths",
            f"`split` has {len(sizes)} numbers of channels and {len(syntax.paths)} paths",
            statement_span(call),
            help="write one number for each path",
        )
    if input_node is not None and input_node.shape[0] != sum(sizes):
        total, channels = sum(sizes), input_node.shape[0]
        last = sizes[-1] + channels - total
        place = call.arguments[-1].span
        raise Problem(
            "shape",
            f"the paths of this `split` have {total} channels together, and {channels} arrive",
            statement_span(call),
            labels=(arrives(input_node),),
            help=f"write {last} for the last path" if last > 0 else "write smaller numbers",
            edits=(Edit(place, str(last)),) if last > 0 else (),
        )
    return tuple(sizes)


# ---- output, aux, from, allow ---------------------------------------------------------------


def aux(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `aux`: an extra output for training; the input passes on unchanged."""
    syntax = _need_body(call, "aux weight=0.3 { pool avg global, flatten, fc classes }")
    weight = _arguments(graph, call, _AUX, env).get("weight", 0.3)
    inner, node = _side(graph, call, syntax, call.label, scope, env, input_node)
    if node is not None:
        graph.outputs.append(Output(inner, node, aux=True, weight=weight))
    return input_node


def output(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `output name { … }`, an output that is computed from here, and `output name name`,
    which makes labeled layers outputs. What arrives passes on unchanged, as at `aux`.
    """
    names = [argument.value for argument in call.arguments]
    if call.label is not None or not names:
        name = call.label.value if call.label else "name"
        body = "{ … }" if call.body else "…"
        raise Problem(
            "output",
            "an output has a name, which comes after the word `output`",
            call.head.span,
            help=f"write `output {name} {body}`" if call.body else f"write `output {name}: …`",
        )
    first = names[0]
    is_layer = isinstance(first, Name) and first.value in graph.words
    if is_layer and not graph.labels.knows(first, scope):
        start = first.span.start
        layer = Span(call.span.source, start, statement_span(call).end).text
        raise Problem(
            "output",
            "an output has a name, which comes after the word `output`",
            first.span,
            help=f"write `output name: {layer}`",
            edits=(Edit(Span(call.span.source, start, start), "name: "),),
        )
    if call.body is None:
        for argument in call.arguments:
            if not isinstance(argument.value, Name | Path):
                raise Problem(
                    "output",
                    f"`{argument.span.text}` is not a label",
                    argument.span,
                    help="write `output name: fc 10` for an output with a name; the result of the"
                    " last line is one by itself, if no other has a name",
                )
            item = graph.labels.referred(argument, scope)
            node = item.output if isinstance(item, Scope) else item
            if node is not None:
                graph.add_output(item, node, argument.span, scope)
        return input_node
    if len(names) > 1 or not isinstance(names[0], Name) or call.arguments[0].name is not None:
        raise Problem(
            "output",
            "an output with a body has one name and no arguments",
            call.arguments[-1].span,
            help="write `output mask { conv 64 3x3 same, bn, relu, conv 21 1x1 }`",
        )
    inner, node = _side(graph, call, call.body, names[0], scope, env, input_node)
    if node is not None:
        if node is input_node:
            raise Problem("empty-body", "this output has no layers", call.head.span, help=_LAYERS)
        graph.add_output(inner, node, names[0].span, scope)
    return input_node


_LAYERS = (
    "write layers into it, or label what arrives and name that: `features: …`, `output features`"
)


def output_of(graph: GraphBuilder, label: OutputName, scope: Scope, node: MaybeNode) -> None:
    """Makes the result of a statement `output name: …` an output."""
    item = graph.labels.named(label, scope)
    if item is None:
        raise Problem(
            "output",
            f"the output `{label.value}` has no layer of its own",
            label.span,
            help="an output is computed by its statement: `output mask: conv 21 1x1`; for a layer"
            " that has a label, write `output` and the label",
        )
    if node is not None:
        graph.add_output(item, node, label.span, scope)


def _side(
    graph: GraphBuilder,
    call: Call,
    syntax: Body | Branches,
    label: Name | None,
    scope: Scope,
    env: Env,
    input_node: MaybeNode,
) -> tuple[Scope, MaybeNode]:
    """Layers beside the stream, which lead to an output."""
    word = call.head.value
    inner = Scope("block", word, call.span, scope, label.value if label else None)
    inner.aux = scope.aux or word == "aux"
    node = graph.body(syntax, inner, env, input_node)
    graph.named(label, scope, inner, node)
    return inner, node


def from_(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `from`: continues from a labeled layer."""
    refuse_body(call, "`from`")
    if len(call.arguments) != 1:
        raise Problem(
            "argument",
            "`from` takes the label of the layer to continue from",
            statement_span(call),
            help="write `from name`, with a label from an earlier line",
        )
    node = _reference(graph, call.arguments[0], scope, env)
    if call.label is not None and not isinstance(call.label, OutputName):
        graph.labels.alias(call.label, scope, node)
    if input_node is not None and input_node is not node:
        graph.left_at[input_node.index] = statement_span(call)
    return node


def share(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `share`: applies what a label names once more, with the same weights."""
    refuse_body(call, "`share`")
    if len(call.arguments) != 1 or not isinstance(call.arguments[0].value, Name):
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
            node = graph.body(statement.body, inner, item.env, input_node)
        else:
            node = graph.statement(_with_plain_label(statement), inner, item.env, input_node)
    if node is None:
        return None
    _pair_with_shared(item, inner, place)
    return graph.named(call.label, scope, inner, node)


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
    start = originals[0].index
    for node in originals:
        outside = [each for each in node.inputs if each.index < start]
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


def _reference(graph: GraphBuilder, argument: Argument, scope: Scope, env: Env) -> Node:
    """What a label refers to; a parameter that is no label is told apart from a word that is
    nothing.
    """
    value = argument.value
    if isinstance(value, Name) and env.has(value.value) and not graph.labels.knows(value, scope):
        raise Problem(
            "argument",
            f"`{value.value}` is {describe(env.find(value.value))} here, not a label",
            value.span,
            help="call the block with a label in its place: `first: conv 8`, then `cell first`",
        )
    return graph.labels.reference(argument, scope)


def carried_at_first(
    graph: GraphBuilder, statement: Repeat | For, scope: Scope
) -> dict[str, Node | None]:
    """What the first round of a loop reads by the names that its last line, `carry`, gives."""
    last = _last_line(statement)
    state: dict[str, Node | None] = {}
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
            state[name.value] = graph.labels.reference(Argument(name.span, None, name), scope)
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
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
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
    carried: dict[str, Node | None] = {}
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
        carried[argument.name] = _reference(graph, value, scope, env)
    scope.carried = carried
    return input_node


def allow(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `allow`: silences warnings in the body that contains it."""
    refuse_body(call, "`allow`")
    graph.allow(call, graph.region)
    return input_node


Form = Callable[[GraphBuilder, str, Call, Scope, Env, MaybeNode], MaybeNode]
FORMS: dict[str, Form] = {
    "residual": residual,
    "dense": dense,
    "gate": gate,
    "inception": merge,
    "concat": merge,
    "add": merge,
    "mul": merge,
    "maximum": merge,
    "split": split,
    "aux": aux,
    "output": output,
    "share": share,
    "from": from_,
    "carry": carry,
    "allow": allow,
    "init": init,
}
