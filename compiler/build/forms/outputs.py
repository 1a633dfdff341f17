"""Outputs beside the stream, which goes on unchanged: `output`, `aux`; and `allow`, which changes
nothing but the warnings.
"""

from __future__ import annotations

from ....dsl.diagnostics import Edit
from ....dsl.source import Span
from ....dsl.syntax import Body, Branches, Call, Name, OutputName, Path
from ...diagnose.blame import statement_span
from ...language.evaluate import Env
from ...language.kinds import number
from ...language.problems import Problem
from ...language.signature import declare
from ...language.values import Maps
from ...network import Output, Scope
from ..graph_builder import Arriving, GraphBuilder, MaybeNode
from ..labels import not_one_map
from ..layers import refuse_body
from .common import arguments_of, need_body, one_map_of

AUX = declare("aux", weight=number("weight of its loss", 0.3, minimum=0))
_LAYERS = (
    "write layers into it, or label what arrives and name that: `features: …`, `output features`"
)


def aux(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
) -> Arriving:
    """Executes `aux`: an extra output for training; the input passes on unchanged."""
    syntax = need_body(call, "aux weight=0.3 { pool avg global, flatten, fc classes }")
    weight = arguments_of(graph, call, AUX, env).get("weight", 0.3)
    inner, node = _side(graph, call, syntax, call.label, scope, env, input_node)
    if node is not None:
        graph.outputs.append(Output(inner, node, aux=True, weight=weight))
    return input_node


def output(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
) -> Arriving:
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
                    help="write `output name: fc 10` for an output with a name; without any"
                    " `output`, the result of the last line is the output",
                )
            item = graph.labels.referred(argument, scope)
            node = item.output if isinstance(item, Scope) else item
            if isinstance(node, Maps):
                raise not_one_map(argument.span, node, "an output is one map")
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


def output_of(graph: GraphBuilder, label: OutputName, scope: Scope, node: Arriving) -> None:
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
    if isinstance(node, Maps):
        raise not_one_map(label.span, node, "an output is one map")
    if node is not None:
        graph.add_output(item, node, label.span, scope)


def _side(
    graph: GraphBuilder,
    call: Call,
    syntax: Body | Branches,
    label: Name | None,
    scope: Scope,
    env: Env,
    input_node: Arriving,
) -> tuple[Scope, MaybeNode]:
    """Layers beside the stream, which lead to an output."""
    word = call.head.value
    inner = Scope("block", word, call.span, scope, label.value if label else None)
    inner.aux = scope.aux or word == "aux"
    node = one_map_of(graph, call, syntax, inner, env, input_node)
    graph.named(label, scope, inner, node)
    return inner, node


def allow(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
) -> Arriving:
    """Executes `allow`: silences warnings in the body that contains it."""
    refuse_body(call, "`allow`")
    graph.allow(call, graph.region)
    return input_node
