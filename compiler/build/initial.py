"""Weight initialization: `init he`, `init truncated_normal std=0.02 zero_residual`. The default
follows from the activations: each knows a suitable method for the weights before it. Norms and
layers with special weights are initialized as their operation says.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...dsl.diagnostics import Edit, Label
from ...dsl.syntax import Call
from ..diagnose.blame import statement_span
from ..language.binding import bind
from ..language.evaluate import Env, evaluate_arguments
from ..language.kinds import choice, flag, number
from ..language.problems import Problem
from ..language.signature import declare
from ..network import Init, zeroed
from ..shapes import by
from .graph_builder import Arriving, GraphBuilder, InitDirective
from .layers import refuse_body, without

if TYPE_CHECKING:
    from ..network import Network, Node, Scope
    from ..ops.base import Op

METHODS = ("he", "xavier", "lecun", "truncated_normal", "normal", "orthogonal", "torch")

_ELSEWHERE = {
    "kaiming": "he",
    "kaiming_normal": "he",
    "kaiming_uniform": "he uniform",
    "he_normal": "he",
    "he_uniform": "he uniform",
    "msra": "he",
    "glorot": "xavier",
    "glorot_normal": "xavier",
    "glorot_uniform": "xavier uniform",
    "xavier_normal": "xavier",
    "xavier_uniform": "xavier uniform",
    "lecun_normal": "lecun",
    "lecun_uniform": "lecun uniform",
    "trunc_normal": "truncated_normal",
    "gaussian": "normal",
    "default": "torch",
}
"""Names of the methods in other tools."""

_DEVIATIONS = {"truncated_normal": 0.02, "normal": 0.01}
_TAKES = {
    "std": tuple(_DEVIATIONS),
    "gain": ("xavier", "orthogonal"),
    "uniform": ("he", "xavier", "lecun"),
}


INIT = declare(
    "init",
    method=choice(
        "distribution of the initial weights; `auto`: the one that suits the activations",
        ("auto", *METHODS),
        "auto",
        elsewhere=_ELSEWHERE,
    ),
    std=number("standard deviation", None, minimum=0, above=True),
    gain=number("factor of the random weights", 1.0, minimum=0, above=True),
    uniform=flag("draw from a uniform distribution"),
    zero_residual=flag(
        "initialize the last norm of each residual body to zero, or the gain of its last"
        " standardized convolution"
    ),
    dirac=flag(
        "let the first filters of each convolution pass on its input: as many as it has channels"
    ),
    whitening=flag(
        "let the first convolution whiten the patches of training images: their principal"
        " components, and the negatives of them; its weights are not trained"
    ),
)


def init(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: Arriving
) -> Arriving:
    """Records the `init` statement; `decide` applies it when the network is complete."""
    refuse_body(call, "`init`")
    if scope.kind != "network":
        raise Problem(
            "misplaced-init",
            "`init` applies to the whole network, and cannot be used inside a part of it",
            call.head.span,
            help="write it into the network's own body, after the input",
        )
    if graph.init is not None:
        raise Problem(
            "second-init",
            "a network has one `init`",
            call.head.span,
            labels=(Label(graph.init.call.head.span, "already given here"),),
            help="keep one of them",
            edits=(Edit(call.span, ""),),
        )
    values = bind(call, INIT, evaluate_arguments(call.arguments, env), env, graph.words)
    method = values.pop("method", "auto")
    graph.init = InitDirective(call, method, values)
    for name, methods in _TAKES.items():
        if values.get(name) and method not in methods:
            listed = " or ".join(f"`init {m}`" for m in methods)
            raise Problem(
                "argument",
                f"`init {method}` does not use `{name}`",
                statement_span(call),
                notes=(f"it is written `{INIT}`",),
                help=f"take it out, or write {listed}",
                edits=without(name, call),
            )
    return input_node


def decide(network: Network, written: InitDirective | None, sums: list[Node]) -> Init:
    """The initialization of a network; `sums` are the additions of residuals, each with its body
    first.
    """
    values = written.values if written else {}
    method = written.method if written else "auto"
    if method == "auto":
        method = _suiting(network)
    zero: tuple[str, ...] = ()
    if written and values.get("zero_residual"):
        zero = _last_norms(network, sums)
        if not zero:
            raise Problem(
                "no-norm",
                "no residual body ends in a norm, so there is no weight to initialize to zero",
                statement_span(written.call),
                help="end the bodies with `bn`, or take `zero_residual` out",
                edits=without("zero_residual", written.call),
            )
    return Init(
        method,
        values.get("std", _DEVIATIONS.get(method, 0.0)),
        values.get("gain", 1.0),
        values.get("uniform", False),
        _slope(network) if method == "he" else 0.0,
        zero,
        written is not None,
        bool(values.get("dirac")),
        _whitened(network, written.call) if written and values.get("whitening") else "",
    )


def _whitened(network: Network, call: Call) -> str:
    """The name of the convolution on the input; raises Problem if it cannot whiten."""
    first = next((node for node in network.nodes if node.inputs and node.weights), None)
    channels = network.input.shape[0]

    def refused(message: str, help: str, edits: tuple[Edit, ...] = ()) -> Problem:
        assert first is not None
        labels = (Label(first.span, "the first layer with weights"),)
        return Problem(
            "whitening", message, statement_span(call), labels=labels, help=help, edits=edits
        )

    if first is None:
        return ""
    module = first.torch.module
    if module is None or module.name != "nn.Conv2d" or first.inputs[0] is not network.input:
        raise refused(
            "`whitening` sets the weights of a convolution of the input, and there is none",
            "begin with a convolution, like `conv 24 2x2 bias=on`, or take `whitening` out",
            without("whitening", call),
        )
    out, per_group, *kernel = first.weights[0].shape
    most = 2 * channels * kernel[0] * kernel[1]
    if per_group != channels or out % 2 or out > most:
        size = by((kernel[0], kernel[1]))
        raise refused(
            f"patches of {size} in {channels} channel{'s' * (channels != 1)} have {most // 2}"
            f" principal components; with the negatives of them, at most {most} filters whiten",
            f"write `conv {most} {size}`, or a smaller even number, without `groups`",
        )
    return first.name


def _activations(network: Network) -> list[Op]:
    """The activations between layers, without the one after the last layer."""
    ends = {output.node.index for output in network.outputs}
    return [n.op for n in network.nodes if n.op.suits and n.index not in ends]


def _suiting(network: Network) -> str:
    """The method that suits most activations; on a tie, the first in METHODS."""
    votes = Counter(op.suits for op in _activations(network))
    return max(METHODS, key=lambda method: votes[method])


def _slope(network: Network) -> float:
    leaks = Counter(op.leak for op in _activations(network) if op.suits == "he")
    return max(leaks, key=lambda leak: leaks[leak], default=0.0)


def _last_norms(network: Network, sums: list[Node]) -> tuple[str, ...]:
    """The norms at the end of residual bodies that nothing else reads. A norm followed by an
    activation is excluded: if its weight were zero, its gradient would stay zero.
    """
    names = []
    for node in sums:
        last = node.inputs[0]
        while last.op.passes_zero and _only_one(network, last):
            last = last.inputs[0]
        if zeroed(last) and _only_one(network, last):
            names.append(last.name)
    return tuple(dict.fromkeys(names))


def _only_one(network: Network, node: Node) -> bool:
    """Whether its output has exactly one reader."""
    readers = network.consumers[node.index]
    return len(readers) == 1 and all(output.node is not node for output in network.outputs)
