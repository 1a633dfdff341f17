"""`pool tree`: learned filters, mixed by learned gates."""

from __future__ import annotations

from itertools import product
from typing import ClassVar

from ...language.kinds import count
from ...language.signature import ArgumentError
from ...shapes import Shape, axes_of, plain, size
from ..base import Autocast, Kept, TorchText, Weight, constructor, helper, tuple_of
from ..examples import Lines, gradient_lines, rows_of
from ..worked import Element, Step, Term, Worked, bracketed, figure, products, sigmoid
from .windows import Padded

MOST_LEVELS = 8

EXAMPLE_TREE = ((0.5, 0.5, 0.0, 0.0), (0.0, 0.0, 0.5, 0.5), (0.1, 0.0, 0.0, -0.1))
"""Two filters and their gate, for a 2x2 window: the mean of the upper row, and of the lower."""


class Tree(Padded):
    """A tree of learned filters, mixed two by two by learned gates (Lee et al., arXiv:1509.08985).

    With two levels, four filters w: each gives w.x of a window x. Two gates g mix them in pairs,
    a third mixes the two results: sigmoid(g.x)*left + (1 - sigmoid(g.x))*right. Filters and gates,
    of K*K numbers each, are the same for all channels. They are convolved with the map: these are
    multiply-adds; a gate also costs four operations for each output.
    """

    autocast: ClassVar[Autocast] = "low"
    word: ClassVar[str] = "pool tree"
    example: ClassVar[str] = "pool tree 2x2"
    arithmetic: ClassVar[str] = (
        "sigmoid(g.x) * left + (1 - sigmoid(g.x)) * right, in a tree of 2^levels filters\n"
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W\n"
        "parameters: (2^(levels + 1) - 1) * kernel height * kernel width"
    )

    levels: int = count(f"levels of gates, {MOST_LEVELS} at most", 2)

    slope: ClassVar[str] = (
        "of a gate g over filters l and r: s*l + (1 - s)*r + s*(1 - s)*(l.x - r.x)*g, s ="
        " sigmoid(g.x)"
    )

    def check(self) -> None:
        super().check()
        if self.levels > MOST_LEVELS:
            raise ArgumentError(
                f"a tree of {self.levels} levels has 2^{self.levels} filters",
                f"{MOST_LEVELS} levels are the most; 2 or 3 are usual",
            )

    @property
    def filters(self) -> int:
        return 1 << self.levels

    @property
    def gates(self) -> int:
        return self.filters - 1

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("weight", (self.filters + self.gates, 1, *self.span)),)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return self.reads(output, inputs[0]) * (self.filters + self.gates)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 4 * self.gates * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # For each gate: its output, and the difference of its two inputs.
        return Kept(inputs=(0,), own=2 * self.gates * size(output))

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        module = constructor(
            f"TreePool{axes}d",
            self.levels,
            self.span,
            plain(self.step),
            padding=(plain(self.padding), 0),
        )
        return TorchText(module, helper=TREE_POOL[axes])

    def work_out(self, element: Element) -> Worked:
        window, places = self.covered(element), list(product(*map(range, self.span)))
        groups = []
        for index in range(self.filters + self.gates):
            order = index - self.filters
            terms = [
                Term(term.value, factor, term.value * factor, term.place)
                for place, term in zip(places, window.terms, strict=True)
                for factor in [element.weight("weight", (index, 0, *place))]
            ]
            name = f"filter {index}" if order < 0 else f"gate {order}"
            groups.append(products(name, terms, self.span[-1]))
        nodes: list[float] = [group.result for group in groups[: self.filters]]
        gates = [sigmoid(group.result) for group in groups[self.filters :]]
        steps = [
            Step(f"g{n}", f"sigmoid({figure(groups[self.filters + n].result)})", gate)
            for n, gate in enumerate(gates)
        ]
        first = 0
        while len(nodes) > 1:
            half = len(nodes) // 2
            mixed = []
            for n in range(half):
                left, right, gate = nodes[n], nodes[half + n], gates[first + n]
                mixed.append(right + gate * (left - right))
                share = figure(gate)
                parts = f"{share}*{bracketed(left)} + (1 - {share})*{bracketed(right)}"
                steps.append(Step(f"mixed by g{first + n}", parts, mixed[-1]))
            nodes, first = mixed, first + half
        rule = "g*left + (1 - g)*right in a tree of filters, g = sigmoid(gate)"
        return Worked(element.at, rule, nodes[0], tuple(groups), tuple(steps))

    @staticmethod
    def initial(name: str, index: tuple[int, ...]) -> float:
        return EXAMPLE_TREE[index[0]][2 * index[2] + index[3]]

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        left, right, gate = map(rows_of, EXAMPLE_TREE)
        shown = f" with l = {left}, r = {right}, g = {gate}"
        return gradient_lines(Tree.make(kernel=(2, 2), levels=1), self.slope, self.initial, shown)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        both = f"({self.filters} filters + {self.gates} gates)"
        window = "*".join(map(str, self.span))
        parameters = (self.filters + self.gates) * size(self.span)
        outputs = "*".join(map(str, output))
        macs = self.macs(output, *inputs)
        return [
            *super().explain(output, *inputs),
            ("parameters", f"{both} * {window} = {parameters:,}, the same for all channels"),
            ("multiply-adds", f"{outputs} outputs * {both} * {window} = {macs:,}"),
        ]


TREE_POOL = {
    axes: helper(f'''\
class TreePool{axes}d(nn.Module):
    """Learned pooling filters, mixed two by two by learned gates (arXiv:1509.08985)."""

    def __init__(
        self,
        levels: int,
        kernel_size: {sizes},
        stride: int | {sizes},
        padding: int | {sizes} = 0,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = padding
        self.filters = 2**levels
        area = {area}
        weight = torch.zeros(2 * self.filters - 1, 1, *kernel_size)
        nn.init.normal_(weight[: self.filters], 1 / area, 0.1 / area)  # about the mean
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.flatten(0, 1).unsqueeze(1)
        maps = F.conv{axes}d(channels, self.weight, stride=self.stride, padding=self.padding)
        nodes, gates = maps[:, : self.filters], maps[:, self.filters :].sigmoid()
        count = self.filters
        while count > 1:
            count //= 2
            left, right = nodes.chunk(2, 1)
            nodes = right + gates[:, :count] * (left - right)
            gates = gates[:, count:]
        return nodes.reshape(*x.shape[:2], *nodes.shape[2:])
''')
    for axes in (1, 2, 3)
    for sizes in [tuple_of(axes)]
    for area in [" * ".join(f"kernel_size[{n}]" for n in range(axes))]
}
