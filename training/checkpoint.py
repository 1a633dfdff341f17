"""`last.ckpt`, with which a run goes on, and `best.safetensors`, the weights alone.

A checkpoint is a dict of tensors, numbers and text, and is read as that: nothing in it is run.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..compiler.emit import emit
from ..compiler.graph import Network
from ..compiler.plan.directive import Directive
from ..compiler.plan.plan import PlanError, TrainPlan
from ..compiler.plan.slots import slots
from ..dsl.diagnostics import Diagnostic, Label, SpecError
from .run_folder import shown
from .weights import read_weights
from .whole_file import write_whole

FORMAT = 1


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Whole or not at all; raises OSError."""
    buffer = io.BytesIO()  # torch itself says of a full disk only that it failed
    torch.save({"format": FORMAT, **state}, buffer)
    write_whole(path, buffer.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Raises SpecError for what is none, or cannot be read."""
    name = shown(path)
    if not path.exists():
        message = f"there is nothing to go on with: {name} does not exist"
        raise SpecError([Diagnostic("no-checkpoint", message, help="name the folder of a run")])
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SpecError([Diagnostic("unreadable", f"cannot read {name}: {reason}")]) from None
    except Exception as error:  # noqa: BLE001 (torch raises many kinds over a damaged file)
        why = str(error).strip().partition("\n")[0][:200]
        raise _damaged(name, why) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _damaged(name, "it is not one that this version has written")
    return state


def _damaged(name: str, why: str) -> SpecError:
    help = "best.safetensors, beside it, has the best weights so far"
    return SpecError([Diagnostic("checkpoint", f"{name} cannot be used: {why}", help=help)])


# ---- the weights alone -----------------------------------------------------------------------


def write_weights(path: Path, state: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Whole or not at all; raises OSError."""
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    write_whole(path, save(tensors, {"format": "pt", **about}))


def about_weights(path: Path) -> dict[str, str]:
    """What is said about weights beside them; empty where there is no such file."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError):
        return {}


def best_weights(path: Path) -> dict[str, Tensor]:
    return read_weights(path)


# ---- whether it is of the same run -----------------------------------------------------------


def mark_of(network: Network) -> str:
    """The same for networks that compute the same under the same names."""
    tree = ast.parse(emit(network, ""))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [one for one in node.body if not _is_text(one)]  # what it says of itself
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


class Difference(NamedTuple):
    """A directive that says something else now."""

    section: str
    word: str
    before: str
    now: str
    directive: Directive | None

    @property
    def harmless(self) -> bool:
        return (self.section, self.word) in _MAY_CHANGE


_MAY_CHANGE = {
    ("train", word)
    for word in ("epochs", "workers", "log", "checkpoint", "metrics", "early_stop", "compile")
} | {("evaluate", "tta")}
"""What says how long, or what is shown and kept: a run can go on with others of these."""


def differences(before: TrainPlan, now: TrainPlan) -> Iterator[Difference]:
    """Of two plans, directive by directive."""
    if before.input != now.input:
        yield Difference("network", "input", str(before.input), str(now.input), None)
    for section in ("train", "evaluate", "transfer"):
        old, new = _said(getattr(before, section)), _said(getattr(now, section))
        for word in dict.fromkeys((*old, *new)):
            texts = [", ".join(map(str, said.get(word, ()))) for said in (old, new)]
            if texts[0] != texts[1]:
                last = next(iter(new.get(word, ())), None)
                yield Difference(section, word, texts[0] or "nothing", texts[1] or "nothing", last)
    texts = [", ".join(map(str, plan.augment)) for plan in (before, now)]
    if texts[0] != texts[1]:
        first = next(iter(now.augment), None)
        yield Difference("augment", "augment", texts[0] or "nothing", texts[1] or "nothing", first)


def _said(section: object) -> dict[str, tuple[Directive, ...]]:
    found: dict[str, tuple[Directive, ...]] = {}
    for slot in slots(type(section)) if section is not None else ():
        value = getattr(section, slot.name)
        found[slot.word] = value if isinstance(value, tuple) else (value,) if value else ()
    return found


def must_be_same(state: Mapping[str, Any], network: Network, plan: TrainPlan, name: str) -> None:
    """Raises SpecError, with the difference, for the checkpoint of another spec."""
    try:
        before = TrainPlan.from_json(state["plan"])
    except (PlanError, KeyError) as error:
        raise _damaged(name, str(error)) from None
    wrong = [found for found in differences(before, plan) if not found.harmless]
    if _longer(before, plan):
        wrong = [found for found in wrong if found.word != "schedule"]
    if wrong:
        notes = [f"{found.section}: `{found.before}`, now `{found.now}`" for found in wrong]
        span = next((d.directive.span for d in wrong if d.directive and d.directive.span), None)
        labels = tuple(
            Label(d.directive.span, f"was `{d.before}`")
            for d in wrong
            if d.directive and d.directive.span and d.directive.span != span
        )
        raise SpecError([
            Diagnostic(
                "another-spec",
                f"{name} is a run of another plan, and cannot go on with this one",
                span,
                labels=labels,
                notes=tuple(notes),
                help="leave the spec out (`cnn train --resume RUN`) to go on as it was begun, or"
                " begin a new run without --resume",
            )
        ])  # fmt: skip
    if state["network"] != mark_of(network):
        raise SpecError([_another_network(state["model"], network, name)])


def _longer(before: TrainPlan, now: TrainPlan) -> bool:
    """Whether schedules differ in a warm-up alone, a share of another number of epochs."""
    if before.train.epochs == now.train.epochs:
        return False
    warmup = before.train.schedule.warmup
    return before.train.schedule == now.train.schedule.replace(warmup=warmup)


def _another_network(weights: Mapping[str, Tensor], network: Network, name: str) -> Diagnostic:
    from .load import live

    now = live(network, "").state_dict()
    facts = [
        f"{key}: {_shape(weights.get(key))}, now {_shape(now.get(key))}"
        for key in dict.fromkeys((*weights, *now))
        if _shape(weights.get(key)) != _shape(now.get(key))
    ]
    if not facts:
        facts = ["all weights have the same shapes, but what is computed from them differs"]
    shown_facts = facts if len(facts) <= 8 else [*facts[:7], f"… {len(facts) - 7} more"]
    return Diagnostic(
        "another-spec",
        f"{name} is a run of another network, and cannot go on with this one",
        network.root.span,
        notes=tuple(shown_facts),
        help="leave the spec out (`cnn train --resume RUN`) to go on as it was begun",
    )


def _shape(tensor: Tensor | None) -> str:
    if tensor is None:
        return "not there"
    return "x".join(map(str, tensor.shape)) or "one number"


def facts_about(
    classes: tuple[str, ...], preparation: str, network: str, spec: str, several: bool
) -> dict[str, str]:
    """What stands beside the weights."""
    return {
        "classes": json.dumps(list(classes), ensure_ascii=False),
        "preparation": preparation,
        "network": network,
        "spec": spec,
        "several": "yes" if several else "no",
    }
