"""`pool stochastic`: in training a number of each window is drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...shapes import Shape, axes_of, size
from ..base import Kept, TorchText, constructor, helper, tuple_of
from ..worked import Element, Step, Term, Worked, figure, quotient
from .windows import INDEX, Pool


class Stochastic(Pool):
    """One number of each window, drawn at random (Zeiler and Fergus, 2013, arXiv:1301.3557).

    The larger a number, the likelier it is drawn; what is negative counts as zero, so it belongs
    after a `relu`. Evaluation takes the mean under the same probabilities: with the rectifier on
    what arrives, that is four operations for each number read.
    """

    word: ClassVar[str] = "pool stochastic"
    example: ClassVar[str] = "relu, pool stochastic 2x2"
    arithmetic: ClassVar[str] = (
        "in training one number of each window, drawn with probability x / sum of x\n"
        "output: floor((H - kernel) / stride) + 1, same for W"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool stochastic": "StochasticPool2d stochastic_pool stochastic_pooling",
    }

    slope: ClassVar[str] = (
        "in training 1 at the number that is drawn, if above 0, and 0 elsewhere; in evaluation"
        " (2*x - y)/sum of x, 0 for x < 0"
    )

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(inputs[0]) + 4 * self.reads(output, inputs[0])

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,), output=True, fixed=INDEX * size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        module = constructor(f"StochasticPool{axes}d", self.span, self.step)
        return TorchText(module, helper=STOCHASTIC_POOL[axes])

    def work_out(self, element: Element) -> Worked:
        window = self.covered(element)
        values = [max(term.value, 0.0) for term in window.terms]
        total = sum(values)
        shares = [quotient(value, total) if total else 0.0 for value in values]
        terms = tuple(
            Term(value, share, value * share, term.place)
            for value, share, term in zip(values, shares, window.terms, strict=True)
        )
        mean = sum(term.product for term in terms)
        window = window._replace(terms=terms, result=mean, each="{v}*{w}")
        rule = "sum of x*(x/sum of x) over the window, negative x as 0"
        if not element.training:
            return Worked(element.at, rule, mean, (window,))
        rule = "one x of the window, drawn with probability x/sum of x, negative x as 0"
        if element.actual is None:
            note = "in training one of them is drawn; this is the mean under their probabilities"
            return Worked(element.at, rule, mean, (window,), note=note)
        drawn = min(
            range(len(values)),
            key=lambda n: abs(values[n] - element.actual),  # type: ignore[operator]
        )
        window = window._replace(how="random", result=values[drawn], around="one of {}")
        note = f"drawn with probability {figure(shares[drawn])}" if total else "no x is above 0"
        return Worked(
            element.at,
            rule,
            values[drawn],
            (window._replace(each="{v}", between=", "),),
            (Step("drawn", f"{figure(values[drawn])}", values[drawn]),),
            note=note,
        )

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [
            *super().explain(output, *inputs),
            ("each window", "training draws x with probability x / sum of x"),
            ("in evaluation", "sum of x * (x / sum of x)"),
        ]


_WINDOWS = {
    1: """\
        return x.relu().unfold(2, self.kernel_size[0], self.stride[0])
""",
    2: """\
        (height, width), (down, right) = self.kernel_size, self.stride
        return x.relu().unfold(2, height, down).unfold(3, width, right)
""",
    3: """\
        windows = x.relu()
        for axis in range(3):
            size, step = self.kernel_size[axis], self.stride[axis]
            windows = windows.unfold(2 + axis, size, step)
        return windows
""",
}
_PLACES = {
    1: """\
            starts = torch.arange(drawn.shape[2], device=x.device) * self.stride[0]
            place = starts + drawn
""",
    2: """\
            rows = torch.arange(drawn.shape[2], device=x.device) * self.stride[0]
            columns = torch.arange(drawn.shape[3], device=x.device) * self.stride[1]
            rows = rows.unsqueeze(1) + drawn // self.kernel_size[1]
            place = rows * x.shape[3] + columns + drawn % self.kernel_size[1]
""",
    3: """\
            place = torch.zeros_like(drawn)
            inside = self.kernel_size[0] * self.kernel_size[1] * self.kernel_size[2]
            for axis in range(3):
                starts = torch.arange(drawn.shape[2 + axis], device=x.device)
                starts = starts.view(-1, *[1] * (2 - axis)) * self.stride[axis]
                inside //= self.kernel_size[axis]
                tap = drawn // inside % self.kernel_size[axis]
                place = place * x.shape[2 + axis] + starts + tap
""",
}

STOCHASTIC_POOL = {
    axes: helper(f'''\
class StochasticPool{axes}d(nn.Module):
    """One number of each window, drawn in proportion to its size (arXiv:1301.3557).

    In evaluation it is the mean under the same probabilities. What is negative counts
    as zero.
    """

    def __init__(
        self,
        kernel_size: {sizes},
        stride: {sizes},
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride

    def windows(self, x: Tensor) -> Tensor:
{_WINDOWS[axes]}
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            windows = self.windows(x)
            total = windows.sum({inside}, keepdim=True)
            share = windows / total.clamp(min=torch.finfo(x.dtype).tiny)
            return (windows * share).sum({inside})
        with torch.no_grad():
            # With e exponentially distributed, x/e is largest with chance x/sum(x).
            windows = self.windows(x)
            noise = torch.empty_like(windows, dtype=torch.float32).exponential_()
            drawn = {drawn}.argmax(-1)
{_PLACES[axes]}\
        return x.flatten(2).gather(2, place.flatten(2)).view_as(place).relu()
''')
    for axes, inside, drawn in (
        (1, "-1", "(windows / noise)"),
        (2, "(-2, -1)", "(windows / noise).flatten(-2)"),
        (3, "(-3, -2, -1)", "(windows / noise).flatten(-3)"),
    )
    for sizes in [tuple_of(axes)]
}
