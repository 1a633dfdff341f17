"""Gradient checkpointing (`recompute layer3`): activations inside a part of a network are not kept,
but computed again in the backward pass. Outputs, gradients and running statistics are the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.torch_version import TorchVersion
from torch.utils.checkpoint import checkpoint

from ...compiler.network import Network
from ...compiler.plan.recompute import parts_of
from ...compiler.plan.train import Recompute
from ...dsl.diagnostics import Diagnostic, SpecError

COMPILES = TorchVersion(torch.__version__) >= "2.13"
"""Whether torch compiles recomputed layers right. 2.6 updates running statistics a second time in
the backward pass, 2.13 does not; versions between them have not been tried."""


def must_be_compilable(directive: Recompute) -> None:
    """Raises SpecError if this torch cannot compile recomputed layers."""
    if COMPILES:
        return
    message = (
        f"torch {torch.__version__} updates running statistics twice where recomputed layers are"
        " compiled"
    )
    help = "take `recompute` or `compile on` out, or install torch 2.13"
    raise SpecError([Diagnostic("conflict", message, directive.span, help=help)])


def recompute(module: nn.Module, network: Network, names: Sequence[str]) -> None:
    """Lets the named parts of a module compute their activations again. The class of each part
    changes, so that copies of the module do the same; names of weights do not change."""
    for name, nodes in parts_of(network, names).items():
        part = module.get_submodule(name)
        kind = type(part)
        part.__class__ = type(kind.__name__, (_Recomputed, kind), {})
        # What works in place would overwrite the input, from which everything is computed again.
        first = (network.nodes[index] for index in nodes if network.nodes[index].op.inplace)
        part._copies = any(node.inputs[0].index not in nodes for node in first)  # type: ignore[assignment]


class _Recomputed(nn.Module):
    """Comes before the class of a part."""

    _copies = False

    def forward(self, *inputs: Any) -> Any:
        if not torch.is_grad_enabled():
            return super().forward(*inputs)
        if torch.compiler.is_compiling():  # running statistics are then outputs of the forward pass
            return checkpoint(self._inside, *inputs, use_reentrant=False)
        return checkpoint(
            self._inside,
            *inputs,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _statistics_kept(self)),
        )

    def _inside(self, *inputs: Any) -> Any:
        if self._copies:
            inputs = tuple(each.clone() if isinstance(each, Tensor) else each for each in inputs)
        return super().forward(*inputs)


@contextmanager
def _statistics_kept(part: nn.Module) -> Iterator[None]:
    """A context in which running statistics of batch norms stay as they are: they were updated when
    the part was computed for the first time."""
    norms: list[Any] = [
        one for one in part.modules() if "running_var" in one._buffers and one.training
    ]
    momenta = [norm.momentum for norm in norms]
    counts = [
        (norm.num_batches_tracked, norm.num_batches_tracked.clone())
        for norm in norms
        if isinstance(norm, _BatchNorm) and norm.num_batches_tracked is not None
    ]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        with torch.no_grad():
            for count, before in counts:
                count.copy_(before)
