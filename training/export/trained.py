"""Loads weights into a network, by name or by structure: what is exported and evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from ...compiler.network import Network
from ...compiler.shapes import size
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.checkpoint import about_weights
from ..inference.load import live
from ..weights.match import match
from ..weights.read import read_weights

Weights = str | Path | Mapping[str, Tensor]
"""A file of weights, or a state dict."""

_SHOWN = 4

_TIMES, _SMALL = 4, 50_000_000
"""If a network has more than this many times the numbers of its weights, and this many more, it is
not built just for an error message that compares tensors."""


class Trained(NamedTuple):
    network: Network
    module: nn.Module
    """In evaluation mode."""


def open_trained(
    network: Network, version: str, weights: Weights | None, *, heads: bool = True
) -> Trained:
    """The network's module with these weights, or with initial weights. Weights with other names
    are matched by structure. Without `heads`, weights of auxiliary heads are not needed and not
    loaded. Raises SpecError if the weights do not fit."""
    name = "the state dict" if isinstance(weights, Mapping) else str(weights)
    tensors = read_weights(weights) if isinstance(weights, (str, Path)) else weights
    if tensors is not None:
        _refuse_far_too_large(network, tensors, name, heads)
    module = live(network, version)
    if tensors is not None:
        _load(network, module, tensors, name, heads)
    if not heads:
        for node in network.nodes:
            if node.aux and node.weights:
                module.set_submodule(node.name, nn.Identity())
    return Trained(network, module.eval())


def classes_of(weights: str | Path) -> int | None:
    """The number of classes that the metadata of a file of weights records; None if it does not."""
    about = about_weights(Path(weights))
    try:
        if "classes" in about:
            return len(json.loads(about["classes"]))
        return int(about["dotcnn.classes"])
    except (KeyError, TypeError, ValueError):
        return None


def _refuse_far_too_large(
    network: Network, tensors: Mapping[str, Tensor], name: str, heads: bool
) -> None:
    """Raises SpecError, before memory is allocated, if the network is far too large for the
    weights: the spec may be part of a run from somebody else."""
    needs = sum(
        size(weight.shape) for node in network.nodes if heads or not node.aux
        for weight in node.weights
    )  # fmt: skip
    there = sum(tensor.numel() for tensor in tensors.values())
    if needs > _TIMES * there + _SMALL:
        message = f"{name} does not fit {network.name}: it has {there:,} numbers, not {needs:,}"
        raise SpecError([Diagnostic("weights-fit", message)])


def _load(
    network: Network, module: nn.Module, tensors: Mapping[str, Tensor], name: str, heads: bool
) -> None:
    optional = () if heads else tuple(f"{node.name}." for node in network.nodes if node.aux)
    own = module.state_dict()
    other = [key for key in own if key in tensors and tensors[key].shape != own[key].shape]
    # The number of batches that a norm has seen is not needed, and older files do not have it.
    missing = [
        key
        for key in own
        if key not in tensors
        and not key.startswith(optional)
        and not key.endswith(".num_batches_tracked")
    ]
    unknown = [key for key in tensors if key not in own]
    if not (other or missing or unknown):
        module.load_state_dict(dict(tensors), strict=False)
        return
    matched = match(network, tensors)
    if not matched.missing(name.rstrip(".") for name in optional) and not matched.having(
        "unused", in_target=False
    ):
        matched.load_into(module)  # the same network, with other names
        return
    counts = {"of a different shape": other, "missing": missing, "not in the network": unknown}
    summary = ", ".join(f"{len(keys)} {what}" for what, keys in counts.items() if keys)
    notes = [
        *_few([f"{key} is {_shape(tensors[key])}, not {_shape(own[key])}" for key in other]),
        *_few([f"{key} ({_shape(own[key])}) is missing" for key in missing]),
        *_few([f"{key} ({_shape(tensors[key])}) is not in the network" for key in unknown]),
    ]
    help = ""
    if own.keys().isdisjoint(tensors):
        help = (
            "matching by structure leaves some layers without weights: `dotcnn.match(…).table()`"
            " shows which"
        )
    message = f"{name} does not fit {network.name}, which has {len(own)} tensors: {summary}"
    raise SpecError([Diagnostic("weights-fit", message, notes=tuple(notes), help=help)])


def _few(lines: Sequence[str]) -> list[str]:
    shown = list(lines[:_SHOWN])
    return shown if len(lines) <= _SHOWN else [*shown, f"and {len(lines) - _SHOWN} more"]


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
