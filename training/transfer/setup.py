"""Sets up fine-tuning (`transfer`): applies `policy`, loads the weights, and freezes layers."""

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
from ..data.opened import Opened
from ..request import Request
from .freezing import Freezing
from .initialize import load_weights
from .pixel_scale import compare_preprocessing
from .source import Source


class TransferSetup(NamedTuple):
    freezing: Freezing | None = None
    transferred: frozenset[str] = frozenset()
    """The names of the tensors that were loaded."""
    lines: tuple[str, ...] = ()
    """A summary for the user."""
    table: str = ""
    """The full report, for transfer.txt."""


class PolicyResult(NamedTuple):
    request: Request
    lines: tuple[str, ...] = ()
    """The decision and its reason, in words."""


def apply_policy(request: Request, data: Opened) -> PolicyResult:
    """The request with the decisions of `policy`, which need the number of images. A resumed run
    has them in its plan already."""
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
    """Loads pretrained weights into a new module, or, for a resumed run, those of its checkpoint.
    Raises SpecError for weights that do not fit. For weights of unknown origin, images of `data`
    are used to find out which preprocessing they expect."""
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
    """Notes on which preprocessing suits the weights, if neither they nor the spec define it."""
    if data.plan.evaluate.normalize.written:
        return []
    comparison = compare_preprocessing(network, module, data, taken)
    return comparison.lines(source.name) if comparison is not None else []
