"""Paths side by side, `{ | path | path }`: built, with those that loops and `if`s make, and merged
by concat, inception, add, mul, maximum; `split`, which divides the channels among them; and layers
that read paths or a body, such as `attention { | queries | keys | values }`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....dsl.diagnostics import Edit, Label
from ....dsl.source import Span
from ....dsl.syntax import Body, Branches, Call, For, If, Repeat, arms_of, holds_paths, makers_of
from ...diagnose.blame import arrives, first_line, statement_span
from ...language.evaluate import MAX_MAPS, Env, evaluate_arguments, unknown_name
from ...language.problems import Problem
from ...language.values import Maps, Word
from ...network import Node, Scope, nodes_of
from ...ops.base import Op
from ...ops.merge import Chunk
from ...shapes import ShapeError, text
from ..graph_builder import Arriving, GraphBuilder, MaybeNode
from .common import end_of, merge_nodes, need_body, one_map_of, scope_of
from .references import referred_to


def build_paths(
    graph: GraphBuilder,
    syntax: Body | Branches,
    scope: Scope,
    env: Env,
    input_node: Arriving,
) -> list[tuple[Node, Body]] | None:
    """The ends of all paths with their syntax, those that loops and `if`s make among them. A path
    that ends in a list of maps stands for all of them."""
    ends: list[tuple[Arriving, Body]] = []

    def build(path: Body, own: Body, inner: Scope, env: Env) -> None:
        inner.output = graph.body(own, inner, env, input_node)
        ends.append((inner.output, path))

    if not _each_path(graph, syntax, scope, env, input_node, build):
        return None
    if any(end is None for end, _ in ends):
        return None
    known = [(node, path) for end, path in ends for node in nodes_of(end)]
    graph.fuel.spend(len(known), syntax.span)
    return known


def _each_path(
    graph: GraphBuilder,
    syntax: Body | Branches,
    scope: Scope,
    env: Env,
    input_node: Arriving,
    visit: Callable[[Body, Body, Scope, Env], None],
) -> bool:
    """Visits all paths in order, those that loops and `if`s make among them, each with its own
    statements, its scope and the names there. False if an error hides some of them."""
    count = 0

    def collect(branches: Branches, around: Scope, env: Env) -> None:
        nonlocal count
        for path in branches.paths:
            makers = makers_of(path)
            own = path
            if makers:
                written = path.statements[: len(path.statements) - len(makers)]
                own = graph.cut.setdefault(id(path), Body(path.span, written))
            inner = Scope("path", "path", path.span, around, index=count, count=len(branches.paths))
            count += 1
            graph.collector = None
            try:
                visit(path, own, inner, env)
            finally:
                graph.collector = collect
            for maker in makers:
                graph.statement(maker, around, env, input_node)

    outside, graph.collector = graph.collector, collect
    try:
        if isinstance(syntax, Branches):
            collect(syntax, scope, env)
        else:
            left = graph.body(syntax, scope, env, input_node)
            if left is None and (input_node is not None or not count):
                return False  # a loop with an error, or over what an error made unknown
    finally:
        graph.collector = outside
    return True


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


def list_(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
) -> Arriving:
    """Executes `list { | path | path }`: the ends of its paths, in order, as a list of maps."""
    usage = "list { | path | path }"
    if call.arguments:
        names = ", ".join(argument.span.text for argument in call.arguments)
        raise Problem(
            "too-many-arguments",
            "`list` takes paths, and no arguments",
            call.arguments[0].span,
            help=f"labels in brackets are a list of maps: `from [{names}]`, or `[{names}]` as an"
            " argument of a block",
        )
    syntax = need_body(call, usage)
    empty = isinstance(syntax, Body) and not syntax.statements
    if not holds_paths(syntax) and not empty:
        assert isinstance(syntax, Body)
        raise no_bars(call, syntax, usage)
    inner = scope_of(call, scope)
    made = makers_alone(syntax)
    if made is not None and call.label is not None:
        inner.label = None  # the loop has its name: `branches: list { for … }`
    built = build_paths(graph, syntax, inner, env, input_node)
    if built is None:
        return None
    if not built:
        raise Problem(
            "list-of-maps",
            "this list of maps is empty",
            call.head.span,
            help=f"write `{usage}`, or loop over at least one item",
        )
    if len(built) > MAX_MAPS:
        raise Problem("limit", f"a list has at most {MAX_MAPS:,} maps", call.head.span)
    if made is not None and call.label is not None:
        (loop,) = [each for each in inner.children if isinstance(each, Scope)]
        loop.label = call.label.value
    name = call.label.value if call.label else "list"
    maps: Arriving = graph.made_list(Maps(name, [node for node, _ in built]))
    return graph.named(call.label, scope, inner, maps)


def makers_alone(syntax: Body | Branches) -> Repeat | For | None:
    """The loop without a label that makes all paths of a body, if one does."""
    makers = [] if isinstance(syntax, Branches) else syntax.statements
    if len(makers) == 1 and isinstance(makers[0], Repeat | For) and makers[0].label is None:
        return makers[0]
    return None


def merge(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
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
        raise no_bars(call, call.body, f"{call.head.value} {{ | path | path }}")
    inner = scope_of(call, scope)
    built = build_paths(graph, call.body, inner, env, input_node)
    if built is None:
        return None
    ends = [end for end, _ in built]
    if len(ends) == 1 and (_is_made(call.body, built[0][1]) or _ends_in_list(inner)):
        return graph.named(call.label, scope, inner, ends[0])  # a loop of one round
    bodies = [path for _, path in built]
    output = merge_nodes(
        graph, word, call, inner, ends, lambda: _ends_of(ends, bodies), bodies=bodies
    )
    return graph.named(call.label, scope, inner, output)


def _is_made(syntax: Body | Branches, path: Body) -> bool:
    """Whether a loop or an `if` makes the only path."""
    return not (isinstance(syntax, Branches) and syntax.paths[0] is path)


def _ends_in_list(merge: Scope) -> bool:
    """Whether the only path ends in a list of one map."""
    return any(isinstance(path, Scope) and isinstance(path.output, Maps) for path in merge.children)


def _ends_of(ends: Sequence[Node], paths: Sequence[Body | Branches]) -> list[Label]:
    return [
        end_of(end, path, f"path {index}")
        for index, (end, path) in enumerate(zip(ends, paths, strict=True), 1)
    ]


def no_bars(call: Call, syntax: Body, usage: str) -> Problem:
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
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
) -> MaybeNode:
    """The named layers, in the order written; of a single one and of what arrives, that first. What
    arrives is no silent path beside several: in a block it would depend on who calls it. A list of
    maps stands for all of them, also if it arrives where nothing is named.
    """
    if not call.arguments and input_node is None:
        return None
    if not call.arguments and isinstance(input_node, Maps):
        scope.reads_list(input_node)
        merged = input_node.nodes
        return _merged(graph, word, call, scope, merged, [*map(arrives, merged)], is_list=True)
    if not call.arguments:
        raise Problem(
            "missing-argument",
            f"`{call.head.value}` merges paths, and there are none",
            call.head.span,
            help=f"write `{call.head.value} {{ | path | path }}`, or name them: "
            f"`{call.head.value} left right`",
        )
    values = [referred_to(graph, argument, scope, env) for argument in call.arguments]
    if input_node is None:
        return None
    references = [
        (node, argument)
        for value, argument in zip(values, call.arguments, strict=True)
        for node in nodes_of(value)
    ]
    nodes = [node for node, _ in references]
    labels = [
        Label(argument.span, f"`{argument.span.text}` is {text(node.shape)}")
        for node, argument in references
    ]
    if len(values) == 1 and isinstance(values[0], Node) and values[0] is not input_node:
        nodes[:0] = nodes_of(input_node)
        labels[:0] = map(arrives, nodes_of(input_node))
    is_list = any(isinstance(value, Maps) for value in values)
    return _merged(graph, word, call, scope, nodes, labels, is_list)


def _merged(
    graph: GraphBuilder,
    word: str,
    call: Call,
    scope: Scope,
    nodes: Sequence[Node],
    labels: Sequence[Label],
    is_list: bool,
) -> Node:
    if is_list and len(nodes) == 1:  # as a loop of one round makes no sum
        if call.label is not None:
            graph.labels.alias(call.label, scope, nodes[0])
        return nodes[0]
    output = merge_nodes(graph, word, call, scope, nodes, lambda: labels)
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
    names, inner = op.paths, scope_of(call, scope)
    inputs: list[Node] | None
    if len(names) == 1:
        own = one_map_of(graph, call, syntax, inner, env, input_node)
        inputs = None if own is None else [input_node, own]
    else:
        if isinstance(syntax, Body):
            raise no_bars(call, syntax, f"{call.head.value} {op.body_usage()}")
        if len(syntax.paths) != len(names):
            raise Problem(
                "paths",
                f"`{call.head.value}` reads {len(names)} paths, {', '.join(names)}; here there are"
                f" {len(syntax.paths)}",
                call.head.span,
                help=f"write `{call.head.value} {op.body_usage()}`; an empty path is the input",
            )
        built = build_paths(graph, syntax, inner, env, input_node)
        inputs = None if built is None else [end for end, _ in built]
        if built is not None and len(built) != len(names):
            path = next(path for _, path in built if sum(p is path for _, p in built) != 1)
            raise Problem(
                "list-of-maps",
                f"a path of `{call.head.value}` ends in one map, and this one in a list",
                first_line(path.span),
                help="end it in one of its maps, `from maps[0]`, or merge them",
            )
    if inputs is None:
        return None
    output = graph.apply(op, tuple(inputs), call, inner)
    return graph.named(call.label, scope, inner, output)


def split(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `split`: divides the channels among the paths, then concatenates the results."""
    syntax = need_body(call, "split { | path | path }")
    inner = scope_of(call, scope)
    found: list[tuple[Body, Body, Scope, Env]] = []
    if holds_paths(syntax) and not _each_path(
        graph, syntax, inner, env, input_node, lambda *path: found.append(path)
    ):
        return None
    if len(found) < 2:
        raise Problem(
            "paths",
            "`split` divides the channels among two or more paths",
            call.head.span,
            help="write `split { | path | path }`; an empty path passes its share on",
        )
    count = len(found)
    sizes = _sizes(call, count, env, input_node) if call.arguments else None
    ends: list[Node | None] = []
    for index, (_, own, within, names) in enumerate(found):
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
        within.output = end = one_map_of(graph, call, own, within, names, part)
        ends.append(end)
    nodes = [end for end in ends if end is not None]
    if len(nodes) < count:
        return None
    paths = [path for path, *_ in found]
    output = merge_nodes(
        graph, "concat", call, inner, nodes, lambda: _ends_of(nodes, paths), bodies=paths
    )
    return graph.named(call.label, scope, inner, output)


def _sizes(call: Call, paths: int, env: Env, input_node: MaybeNode) -> tuple[int, ...]:
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
    if len(sizes) != paths:
        # A single number is mostly meant as that of the parts, as in `chunk(3)` and `split(x, 3)`.
        equal = sizes == [paths]
        raise Problem(
            "paths",
            f"`split {paths}` makes one part, of {paths} channels, and there are {paths} paths"
            if equal
            else f"`split` makes {len(sizes)} parts, and there are {paths} paths",
            statement_span(call),
            help="for equal parts, write `split` without a number"
            if equal
            else "write one number for each path",
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
