"""Checkpoint files: `last.ckpt`, from which a run is resumed, and `best.safetensors`, the weights.

A checkpoint is a dict of tensors, numbers and text; reading it executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...compiler.network import Network
from ...compiler.ops.base import Op
from ...compiler.plan.metric_names import TRAIN_LOSS
from ...dsl.atomic_file import whole
from ...dsl.diagnostics import Diagnostic, SpecError
from ..tasks.task import Task
from ..untrusted.bad_file import BadFile, first_line
from ..untrusted.json_text import Optional, finite, misfit, natural, number
from ..untrusted.safetensors_file import about_safetensors
from ..untrusted.torch_file import read_torch
from .frozen_weights import read_frozen
from .kept_checkpoints import checkpoints
from .large_file import Check, LargeFile, nothing
from .run_folder import CHECKPOINT, shown
from .tensors_file import pieces

FORMAT = 1


def write_checkpoint(
    path: Path,
    state: Mapping[str, Any],
    check: Check = nothing,
    replaces: Callable[[], None] = nothing,
) -> None:
    """Writes a checkpoint atomically; raises OSError, and what `check` raises, which is called all
    the time. `replaces` is called when it is complete on the disk, before the old one is
    replaced."""
    with whole(path) as file:
        writing = LargeFile(file, check)
        try:
            torch.save({"format": FORMAT, **state}, writing)  # type: ignore[arg-type]
        except RuntimeError as error:
            raise writing.error or error from None
        writing.sync()
        replaces()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint; raises SpecError if it is missing, damaged, or not a checkpoint. Its
    tensors stay in the file until they are used: those of a large network are twice its weights and
    more."""
    name = shown(path)
    try:
        state = read_torch(path, mapped=True)
    except BadFile as error:
        raise _unusable(name, f"it {error}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _unusable(name, "it was not written by this version")
    place = misfit(state, _FORM)
    if place:
        raise _unusable(name, f"`{place}` in it is missing, or not of the expected type")
    if state.get("still"):
        state["model"].update(read_frozen(path.parent, state["still"], name))
    return state


class Found(NamedTuple):
    """A checkpoint to go on from."""

    state: dict[str, Any]
    path: Path
    note: str
    """Why it is not the last one that was written; empty if it is."""


def read_newest(folder: Path) -> Found | None:
    """Reads the newest checkpoint of a run that is intact; None if there is none at all. Raises
    SpecError, with what is wrong with the newest, if all are damaged."""
    errors: list[SpecError] = []
    missing = "" if (folder / CHECKPOINT).exists() else f"{shown(folder / CHECKPOINT)} is missing"
    for path in checkpoints(folder):
        try:
            state = read_checkpoint(path)
        except SpecError as error:
            errors.append(error)
            continue
        why = errors[0].diagnostics[0].message if errors else missing
        goes_on = f"training goes on from {path.name}, the one before it"
        return Found(state, path, f"{why}; {goes_on}" if why else "")
    if errors:
        raise errors[0]
    return None


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """A context for code that restores the state of a checkpoint. A valid checkpoint may still
    belong to another network, optimizer or version of torch; the resulting errors become a
    SpecError."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise _unusable(shown(path), f"its state does not fit this run: {first_line(e)}") from None


def _unusable(name: str, why: str) -> SpecError:
    help = "best.safetensors, beside it, has the best weights so far"
    return SpecError([Diagnostic("checkpoint", f"{name} cannot be used: {why}", help=help)])


def _integer(value: object) -> bool:
    return type(value) is int and abs(value) < 2**53


def _threads(value: object) -> bool:
    return natural(value) and 1 <= value <= 4096  # type: ignore[operator]


def _positive(value: object) -> bool:
    return natural(value) and value != 0


def _sums(value: object) -> bool:
    """Whether `value` is the state of `RunningMetrics`."""
    return isinstance(value, Tensor) and value.shape == (3,) and value.is_floating_point()


def _metrics(value: object) -> bool:
    """Whether `value` is the metrics of an epoch, a loss included."""
    if not isinstance(value, dict) or misfit(value, {str: number}):
        return False
    return "loss" in value or TRAIN_LOSS in value


def _plan(value: object) -> bool:
    """Whether `value` is a plan as JSON."""
    try:
        return isinstance(value, str) and isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def _version(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d[\w.+!-]{0,60}", value) is not None


def _hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]+", value) is not None


_TENSORS = {str: Tensor}
_COUNTER = {"best": (None, number), "waited": natural}
_FORM = {
    "network": str,
    "plan": Optional(_plan),
    "spec": Optional(_hash),
    "seed": Optional(natural),
    "version": Optional(_version),
    "world": Optional(natural),
    "model": _TENSORS,
    "still": Optional((None, str)),
    "optimizer": {"state": {int: {str: object}}, "param_groups": [{"params": [natural]}]},
    "scaler": (None, {str: number}),
    "average": (None, {"steps": natural, "weights": _TENSORS}),
    "plateau": (None, {"factor": finite, **_COUNTER}),
    "patience": (None, _COUNTER),
    "anchor": Optional((None, _TENSORS)),
    "lookahead": Optional((None, _TENSORS)),
    "micro_batches": Optional(_positive),
    "position": {
        "epoch": natural,
        "position": natural,
        "steps": natural,
        "seconds": finite,
        "best": Optional((None, number)),  # written by early 0.1
        "best_metrics": Optional((None, _metrics)),
        "best_epoch": (None, natural),
        "lines": natural,
        "shift": Optional(_integer),
    },
    "gauges": [{"sums": _sums}],
    "random": [{"cpu": Tensor, "cuda": Optional(Tensor), "mps": Optional(Tensor)}],
    "threads": _threads,
    "numbers": {
        "precision": str,
        "channels_last": bool,
        "lines": [str],
        "compile": Optional({"on": bool, "lines": [str]}),
    },
    "best": (None, {"epoch": natural, "weights": _TENSORS, "facts": Optional({str: str})}),
}
"""The parts of a checkpoint that are needed to resume a run."""


# ---- the weights alone -----------------------------------------------------------------------


def write_weights(
    path: Path, state: Mapping[str, Tensor], about: Mapping[str, str], check: Check = nothing
) -> None:
    """Writes weights and their metadata atomically; raises OSError, and what `check` raises."""
    with whole(path) as file:
        writing = LargeFile(file, check)
        for tensor in pieces(state, {"format": "pt", **about}):
            writing.write(tensor)


def about_weights(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file; empty if there is no such file."""
    try:
        return about_safetensors(path)
    except BadFile:
        return {}


# ---- whether a checkpoint belongs to this network --------------------------------------------


_ADDED: Mapping[str, frozenset[str]] = {
    "conv": frozenset({"standardize", "eps", "gain"}),
    "crop": frozenset({"front", "like", "bottom", "right", "back"}),
    "depthwise": frozenset({"standardize", "eps", "gain"}),
    "pad": frozenset({"front", "back"}),
    "pool avg": frozenset({"same_upper"}),
    "pool max": frozenset({"same_upper"}),
    "pool min": frozenset({"same_upper"}),
    "softmax": frozenset({"over", "parts"}),
    "upsample": frozenset({"like"}),
}
"""Arguments that layers have got since runs of 0.1.0 were saved. Where they have their default, a
network computes what it did before, and so has the same mark.
"""


def mark_of(network: Network) -> str:
    """A hash of a network: equal for networks with the same computation and the same names."""
    lines = [
        f"{node.name} {node.op.word} {_marked(node.op)}"
        f" {[source.index for source in node.inputs]} {node.shape}"
        for node in network.nodes
    ]
    lines += [f" {head.node.index} {head.weight}" for head in network.aux]
    lines.append(str(network.output.index))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _marked(op: Op) -> dict[str, Any]:
    added = _ADDED.get(op.word, frozenset())
    return {
        name: value
        for name, value in op.arguments.items()
        if name not in added or value != op.fields[name].default
    }


def must_be_same(state: Mapping[str, Any], network: Network, name: str) -> None:
    """Raises SpecError, with the differences, if the checkpoint is of another network."""
    if state["network"] != mark_of(network):
        raise SpecError([_another_network(state["model"], network, name)])


def _another_network(weights: Mapping[str, Tensor], network: Network, name: str) -> Diagnostic:
    from ..inference.load import live

    now = live(network, "").state_dict()
    facts = [
        f"{key}: {_shape(weights.get(key))}, now {_shape(now.get(key))}"
        for key in dict.fromkeys((*weights, *now))
        if _shape(weights.get(key)) != _shape(now.get(key))
    ]
    if not facts:
        facts = ["all weights have the same shapes, but the computation differs"]
    shown_facts = facts if len(facts) <= 8 else [*facts[:7], f"… {len(facts) - 7} more"]
    return Diagnostic(
        "another-spec",
        f"{name} was started with a different network, and cannot continue with this one",
        network.root.span,
        notes=tuple(shown_facts),
        help="leave the spec out (`cnn train --resume RUN`) to continue as it was started",
    )


def _shape(tensor: Tensor | None) -> str:
    if tensor is None:
        return "not there"
    return "x".join(map(str, tensor.shape)) or "one number"


def facts_about(task: Task, preparation: str, network: str, spec: str) -> dict[str, str]:
    """The metadata that is stored beside weights."""
    return {
        "task": task.word,
        "classes": json.dumps(list(task.classes), ensure_ascii=False),
        **task.facts,
        "preparation": preparation,
        "network": network,
        "spec": spec,
    }
