"""Pooling by a norm: `pool l2`, and `pool lp` with any power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...language.kinds import number
from ...shapes import Shape, axes_of, plain, size
from ..base import Kept, TorchText, constructor, helper, tuple_of
from ..examples import Lines
from ..worked import Element, Worked, power
from .windows import Global


class Norm(Global):
    """The p-th root of the sum of p-th powers in each window.

    Powers and roots count as one operation each.
    """

    torch_calls: ClassVar[tuple[str, ...]] = ("torch.linalg.vector_norm",)

    p: float

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(inputs[0]) + self.reads(output, inputs[0]) + size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        if self.whole:
            return Kept(inputs=(0,), output=True)
        powers = 1 if self.p % 2 == 0 else 2  # |x| is kept, where it is needed
        return Kept(inputs=(0,), own=powers * size(inputs[0]) + size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        power = int(self.p) if self.p.is_integer() else self.p
        if self.whole:
            axes = tuple(range(2, 2 + axes_of(output)))
            norm = f"torch.linalg.vector_norm({{0}}, {power}, dim={axes}, keepdim=True)"
            return TorchText(call=norm)
        module = constructor(
            f"LpPool{axes_of(output)}d",
            power,
            plain(self.span),
            plain(self.step),
            padding=(plain(self.padding), 0),
            ceil_mode=(self.ceil, False),
        )
        return TorchText(module, helper=LP_POOL[axes_of(output)])

    def formula(self) -> str:
        """The formula of a window."""
        if self.p == 2:
            return "sqrt(sum of x^2)"
        return f"(sum of |x|^{self.p:g})^(1/{self.p:g})" if self.p != 1 else "sum of |x|"

    def work_out(self, element: Element) -> Worked:
        window, p = self.covered(element), self.p
        terms = tuple(t._replace(product=power(abs(t.value), p)) for t in window.terms)
        result = power(sum(term.product for term in terms), 1 / p)
        even = p % 2 == 0
        window = window._replace(
            terms=terms,
            how="norm",
            result=result,
            each=f"{{v}}^{p:g}" if even else "|{v}|" + (f"^{p:g}" if p != 1 else ""),
            around="sqrt({})" if p == 2 else f"({{}})^(1/{p:g})" if p != 1 else "{}",
        )
        return Worked(element.at, f"{self.formula()} of the window", result, (window,))

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        p = f"{self.p:g}"
        rule = f"(sum of |x|^{p})^(1/{p} - 1) * |x|^({p} - 1) * sign(x)"
        if self.p == 2:
            rule += " = x/sqrt(sum of x^2)"
        (_, _), *example = super().examples(output, *inputs)
        return [("gradient", rule if self.p != 1 else "sign(x)"), *example]

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [*super().explain(output, *inputs), ("each window", self.formula())]


class L2(Norm):
    """The L2 norm of each window, sqrt(sum of x^2)."""

    word: ClassVar[str] = "pool l2"
    example: ClassVar[str] = "pool l2 2x2"
    arithmetic: ClassVar[str] = (
        "sqrt(sum of x^2) of each window\n"
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool l2": "l2_pool l2pool L2Pooling",
    }

    p: float = 2.0


class Lp(Norm):
    """The p-norm of each window, (sum of |x|^p)^(1/p)."""

    word: ClassVar[str] = "pool lp"
    example: ClassVar[str] = "pool lp 2x2 p=3"
    arithmetic: ClassVar[str] = (
        "(sum of |x|^p)^(1/p) of each window\n"
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool lp": "LPPool2d(norm_type>p,kernel_size,stride,ceil_mode) lp_pool2d(norm_type>p,"
        "kernel_size,stride) lppool",
    }

    p: float = number(
        "the power: 1 gives the sum of |x|, large values approach its maximum", 3.0, minimum=1
    )


# nn.LPPool2d sums x^p, not |x|^p: with an odd p it is wrong for negative numbers, or NaN. With
# ceil_mode, its results for the last windows are too large. It neither pads nor widens float16.
_SUMS = {
    1: """\
        total = F.avg_pool2d(
            (exact if self.p % 2 == 0 else exact.abs()).pow(self.p).unsqueeze(2),
            (1, self.kernel_size),
            (1, self.stride),
            (0, self.padding),
            self.ceil_mode,
            divisor_override=1,
        ).squeeze(2)
""",
    **{
        axes: f"""\
        total = F.avg_pool{axes}d(
            (exact if self.p % 2 == 0 else exact.abs()).pow(self.p),
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            divisor_override=1,
        )
"""
        for axes in (2, 3)
    },
}
"""The sum of each window. (Torch divides by the size of a window of a series in any case.)"""

LP_POOL = {
    axes: helper(f'''\
class LpPool{axes}d(nn.Module):
    """The p-norm of each window: (sum |x|^p)^(1/p)."""

    def __init__(
        self,
        p: float,
        kernel_size: {sizes},
        stride: {sizes},
        padding: {sizes} = 0,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.p = p
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        # Powers soon are more than 16 bits can hold.
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
{_SUMS[axes]}\
        # A root is infinitely steep at zero: there, that of one is taken, less one.
        zero = (total == 0).to(total.dtype)
        return ((total + zero).pow(1 / self.p) - zero).to(x.dtype)
''')
    for axes in (1, 2, 3)
    for sizes in ["int" if axes == 1 else f"int | {tuple_of(axes)}"]
}
