"""Proves a match by running both networks: with equal weights, they compute equal outputs.

Graphs can be read wrongly, and shapes leave much open. So every match with a module is tried: both
networks get the same random weights, in double precision, and see the same image of noise. The
user's module and its weights are not touched, and nothing depends on them: an untrained network,
whose norms are all alike, is no weaker a proof.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ....compiler.analysis.cost import costs
from ....compiler.network import Network
from ...inference.load import live
from ..activation_check import Agreement, Divergence, compare
from .fx_trace import held_by, in_a_line
from .layer import role_of
from .rows import MatchRow

_LARGE = 20_000_000_000
"""Networks with more multiply-adds are run in single precision, which takes half as long."""

_TOLERANCE: Mapping[torch.dtype, float] = {torch.float64: 1e-6, torch.float32: 1e-2}


class Proof(NamedTuple):
    """Whether both networks compute the same, as far as they have the same weights."""

    agreement: Agreement | None
    """None if they could not be run."""
    why: str = ""
    """Why they could not be run."""

    @property
    def divergence(self) -> Divergence | None:
        return self.agreement.divergence if self.agreement else None

    def described(self) -> str:
        """`The activations of both agree for an image of noise.`"""
        if self.agreement is None:
            return f"Not proved by running: {self.why}."
        if self.divergence:
            return f"Activations diverge at {self.divergence.described()}."
        return "The activations of both agree for an image of noise."


def prove(
    network: Network,
    rows: Sequence[MatchRow],
    source: nn.Module,
    missing: Collection[str],
) -> Proof:
    """Runs both with the same random weights. What comes after a layer in `missing`, which gets no
    weights, is not compared."""
    macs = sum(cost.macs for cost in costs(network))
    dtype = torch.float32 if macs > _LARGE else torch.float64
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            theirs = copy.deepcopy(source).to("cpu", dtype)
            mine = live(network, "").to(dtype)
            _share_random_weights(mine, theirs, rows)
            partners = {
                row.layer: row.source_layer
                for row in rows
                if row.layer and row.source and row.status != "adapted"
            }
            adapted = [row.source_shape for row in rows if row.status == "adapted"]
            shapes = [node.shape for node in network.inputs]
            channels = adapted[0][1] if adapted and adapted[0] else shapes[0][0]
            agreement = compare(
                mine, theirs, partners, missing, shapes, channels, _TOLERANCE[dtype]
            )
    except Exception as error:  # noqa: BLE001 (code of others)
        return Proof(None, in_a_line(error))
    return Proof(agreement)


def _share_random_weights(mine: nn.Module, theirs: nn.Module, rows: Sequence[MatchRow]) -> None:
    """The same in both, as far as they are matched. They keep the order of magnitude of what passes
    through, so that nothing that differs can vanish."""
    own = mine.state_dict()
    held = dict(held_by(theirs))
    random: set[str] = set()
    with torch.no_grad():
        for row in rows:
            if row.transfer is None or not held[row.transfer.keys[0]].is_floating_point():
                continue
            for key in row.transfer.keys:
                if key not in random:
                    random.add(key)
                    _randomize(key, held[key])
            own[row.target].copy_(row.transfer.apply(held, row.target_shape or ()))


def _randomize(key: str, tensor: Tensor) -> None:
    fan_in = tensor[0].numel() if tensor.dim() > 1 else 1
    role = role_of(key)
    if fan_in > 1:
        tensor.normal_(0, fan_in**-0.5)
    elif role in ("weight", "running_var"):
        tensor.uniform_(0.5, 1.5)
    else:
        tensor.normal_(0, 0.3)
