"""Setup of fine-tuning (`transfer`): the weights a network starts with, and which layers are
frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from torch import nn

from ...compiler.network import Network
from ...compiler.plan.policy import decide
from ...compiler.plan.strategy import strategy_of
from ...compiler.report.explain.transfer import counts, decision_in_words, explain_transfer, needed
from ...compiler.report.style import PLAIN, wrapped
from ..data.open import Opened
from ..request import Request
from .freezing import Freezing
from .initialize import load_weights
from .pixel_scale import compare_preprocessing
from .source import Source


class TransferSetup(NamedTuple):
    freezing: Freezing | None = None
    transferred: frozenset[str] = frozenset()
    """Names of the tensors that were loaded."""
    lines: tuple[str, ...] = ()
    """What was done, in words."""
    table: str = ""
    """The same in full."""


class PolicyResult(NamedTuple):
    request: Request
    lines: tuple[str, ...] = ()
    """What was decided, and why."""


def apply_policy(request: Request, data: Opened) -> PolicyResult:
    """With what `policy` decides, now that the images are counted; a run that is resumed has that
    in its plan already."""
    plan = request.plan
    transfer = plan.transfer
    if transfer is None or transfer.policy is None:
        return PolicyResult(request)
    dataset = data.dataset
    decision = decide(request.network, transfer, dataset.train.count, len(dataset.classes))
    decided = replace(request, plan=replace(plan, transfer=decision.transfer))
    return PolicyResult(decided, (decision_in_words(decision),))


def set_up_transfer(
    request: Request,
    module: nn.Module,
    open_weights: Callable[[], Source] | None,
    checkpoint: Mapping[str, Any] | None,
    policy_lines: tuple[str, ...] = (),
    data: Opened | None = None,
) -> TransferSetup:
    """Loads the weights into a new module, or those of the checkpoint of a run that is resumed;
    raises SpecError for weights that do not fit. Images of `data` tell which preprocessing weights
    of unknown origin expect."""
    plan, network = request.plan, request.network
    transfer = plan.transfer
    if transfer is None or open_weights is None:
        return TransferSetup()
    strategy = strategy_of(network, transfer)
    freezing = Freezing(strategy)
    first = strategy.stages[0]
    lines = []
    if first.frozen:
        lines.append(f"{counts(strategy, first)}; {needed(strategy, first, plan)}")
    if checkpoint is not None:
        module.load_state_dict(checkpoint["model"])
        transferred = frozenset(checkpoint.get("anchor") or ())
        return TransferSetup(freezing, transferred, tuple(lines))
    loaded = load_weights(network, transfer, strategy, open_weights(), module)
    if data is not None and open_weights().pixels is None:
        lines = [*_preprocessing(network, module, data, open_weights(), loaded.taken), *lines]
    policy = [piece for line in policy_lines for piece in (*wrapped(line, PLAIN), "")]
    table = "\n".join([*policy, *explain_transfer(strategy, plan), "", loaded.table])
    return TransferSetup(freezing, loaded.taken, (*policy_lines, *loaded.lines, *lines), table)


def _preprocessing(
    network: Network, module: nn.Module, data: Opened, source: Source, taken: frozenset[str]
) -> list[str]:
    """What suits the weights, where neither they nor the spec say what becomes of pixels."""
    if data.plan.evaluate.normalize.written:
        return []
    comparison = compare_preprocessing(network, module, data, taken)
    return comparison.lines(source.said) if comparison is not None else []
