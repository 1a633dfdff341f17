"""Computes calls of an imported program whose operands are all known: changes of the layout of a
weight, tables of positions, filters that a module computes from others. The functions are those of
the table in compiler/importing/tensors/program.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor

Function = Callable[..., Tensor]


def evaluated(function: str, operands: Sequence[Any], settings: Mapping[str, Any]) -> Tensor | None:
    """None if the function is not known here, or does not take these."""
    known = _FUNCTIONS.get(function)
    if known is None:
        return None
    try:
        with torch.no_grad():
            return known(*[tensor_of(each) for each in operands], **settings)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return None


def tensor_of(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if value is None or isinstance(value, (int, float)):
        return value
    return torch.from_numpy(numpy.require(value, requirements=["C", "W", "A"]))


def probe(shape: Sequence[int], like: Any) -> Tensor:
    """Random numbers, the same each time, of the precision of a weight."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=random).to(tensor_of(like).dtype)


def relative_scores(
    queries: Tensor, height: Any, width: Any, inside: Sequence[int], sides: Sequence[int]
) -> Tensor:
    """What `attention position=relative` adds: products of queries with a vector for each distance
    of a key, along height and along width. `inside` is the size of a window in queries, `sides` in
    keys."""
    scores: list[Tensor] = []
    for table, count, side in zip((height, width), inside, sides, strict=True):
        away = torch.arange(side)[None, :] - torch.arange(count)[:, None] + side - 1
        scores.append(tensor_of(table)[away])
    placed = queries.reshape(-1, *inside, queries.shape[-1])
    rows = torch.einsum("byxd,ykd->byxk", placed, scores[0])
    columns = torch.einsum("byxd,xkd->byxk", placed, scores[1])
    both = rows[..., :, None] + columns[..., None, :]
    return both.reshape(*queries.shape[:-1], sides[0] * sides[1])


def _slice(x: Tensor, axis: int, start: int, stop: int, step: int = 1) -> Tensor:
    index = [slice(None)] * x.dim()
    index[axis] = slice(start, stop, step)
    return x[tuple(index)]


def _pad(x: Tensor, sides: Any, mode: str, value: float) -> Tensor:
    flat = [number for pair in reversed(sides) for number in pair]
    return F.pad(x, flat) if mode == "constant" and not value else F.pad(x, flat, mode, value)


def _batch_norm(
    x: Tensor, weight: Any, bias: Any, mean: Any, var: Any, eps: float, momentum: float
) -> Tensor:
    return F.batch_norm(x, mean, var, weight, bias, mean is None, momentum, eps)


def _layer_norm(
    x: Tensor, weight: Any = None, bias: Any = None, *, axes: Sequence[int], eps: float
) -> Tensor:
    if axes[-1] != x.dim() - 1:
        raise ValueError("of the last axes only")
    return F.layer_norm(x, [x.shape[axis] for axis in axes], weight, bias, eps)


def _convolved(
    x: Tensor, weight: Tensor, bias: Any, stride: Any, dilation: Any, pad: Any, groups: int
) -> Tensor:
    padded = F.pad(x, [number for pair in reversed(pad) for number in pair])
    name = f"conv{weight.dim() - 2}d"
    return getattr(F, name)(padded, weight, bias, stride, 0, dilation, groups)  # type: ignore[no-any-return]


_FUNCTIONS: dict[str, Function] = {
    "reshape": lambda x, to: x.reshape(to),
    "permute": lambda x, axes: x.permute(axes),
    "expand": lambda x, to: x.expand(to),
    "slice": _slice,
    "select": lambda x, axis, index: x.select(axis, index),
    "index": lambda x, rows: x[rows],
    "flip": lambda x, axes: x.flip(axes),
    "roll": lambda x, axes, shifts: x.roll(shifts, axes),
    "concat": lambda *parts, axis: torch.cat(parts, axis),
    "pad": _pad,
    "add": torch.add,
    "sub": lambda a, b: a - b,
    "mul": torch.mul,
    "div": lambda a, b: a / b,
    "maximum": lambda a, b: torch.clamp(a, min=b) if not isinstance(b, Tensor) else a.maximum(b),
    "minimum": lambda a, b: torch.clamp(a, max=b) if not isinstance(b, Tensor) else a.minimum(b),
    "matmul": torch.matmul,
    "linear": F.linear,
    "conv": _convolved,
    "pow": lambda x, exponent: x**exponent,
    "softmax": lambda x, axis: x.softmax(axis),
    "mean": lambda x, axes, keep: x.mean(axes, keep),
    "sum": lambda x, axes, keep: x.sum(axes, keep),
    "amax": lambda x, axes, keep: x.amax(axes, keep),
    "amin": lambda x, axes, keep: x.amin(axes, keep),
    "var": lambda x, axes, keep, unbiased: x.var(axes, unbiased=unbiased, keepdim=keep),
    "norm": lambda x, axes, keep, p: torch.linalg.vector_norm(x, p, axes, keep),
    "clamp": lambda x, low, high: x.clamp(low, high),
    "leaky_relu": lambda x, slope: F.leaky_relu(x, slope),
    "gelu": lambda x, approximate: F.gelu(x, approximate=approximate),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    **{
        name: getattr(torch, name)
        for name in ("relu sigmoid tanh exp log sqrt rsqrt neg abs reciprocal erf sin cos".split())
    },
    **{
        name: getattr(F, name)
        for name in ("relu6", "selu", "mish", "softsign", "hardsigmoid", "hardswish", "silu")
    },
}
