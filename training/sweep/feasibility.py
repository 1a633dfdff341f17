"""Whether a proposal can be trained, as the compiler tells it before anything is trained: a network
with errors cannot, nor one that is over a limit. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...compiler.analysis import Setting, analyse
from ...compiler.language.overrides import divide, read_override
from ...compiler.plan.memory_setting import settings_in_train
from ...compiler.plan.search_space import Search, Value, overrides
from ...compiler.plan.sweep_directives import COSTS, Limit
from ...compiler.report.figures import data_size
from ...compiler.spec_options import GivenSpec
from ...dsl.diagnostics import SpecError
from ..request import Request, request_from


class Infeasible(NamedTuple):
    """Why a proposal is not trained."""

    kind: str
    """`over params`, `shape error`."""
    reason: str
    excess: float
    """How far it is over its limits, as a share of them: what samplers learn from. 1 for errors."""


class Feasible(NamedTuple):
    request: Request
    costs: Mapping[str, float]
    """`params`, `macs` and `memory`."""


@dataclass(frozen=True)
class Feasibility:
    """Compiles proposals of one sweep."""

    spec: GivenSpec
    searches: Sequence[Search]
    limit: Limit | None
    device: str
    """`cpu` or `cuda`: where the memory of training is counted."""
    known: dict[str, Feasible | Infeasible] = field(default_factory=dict)
    """What has been compiled, by its overrides."""

    def texts(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        return tuple(overrides(self.searches, values))

    def check(self, values: Mapping[str, Value]) -> Feasible | Infeasible:
        """Compiles the spec with these values."""
        texts = self.texts(values)
        key = "\n".join(texts)
        if key not in self.known:
            if len(self.known) > 64:
                self.known.clear()
            self.known[key] = self._check(texts)
        return self.known[key]

    def request(self, texts: Sequence[str]) -> Request:
        """The request of a trial; raises SpecError."""
        assert self.spec.base is not None
        given = [read_override(text, "sweep") for text in texts]
        return request_from(self.spec.source, self.spec.base, self.spec.options, given)

    def _check(self, texts: Sequence[str]) -> Feasible | Infeasible:
        try:
            request = self.request(texts)
        except SpecError as error:
            first = error.diagnostics[0]
            return Infeasible(f"{first.code} error", first.message, 1.0)
        costs = self.costs(request)
        over = self._over(costs)
        return over or Feasible(request, costs)

    def costs(self, request: Request) -> dict[str, float]:
        network = request.network
        _, sections = divide(request.options.overrides(request.source.name))
        in_train = settings_in_train(network, sections)
        in_train["batch"] = request.plan.train.batch.size
        cuda = self.device == "cuda"
        setting = Setting(device="cuda" if cuda else "cpu", batch_known=True, **in_train)
        analysis = analyse(network, setting)
        memory = analysis.memory.needed(request.plan.train.batch.size)
        totals = analysis.totals
        return {"params": totals.params, "macs": totals.macs, "memory": memory}

    def _over(self, costs: Mapping[str, float]) -> Infeasible | None:
        if self.limit is None:
            return None
        limits = {name: value for name, value in self.limit.arguments.items() if value is not None}
        over = {name: value for name, value in limits.items() if costs[name] >= value}
        if not over:
            return None
        excess = sum((costs[name] - value) / value for name, value in over.items())
        reasons = [
            f"{_amount(name, costs[name])} {COSTS[name]}, and the limit is {_amount(name, value)}"
            for name, value in over.items()
        ]
        return Infeasible(f"over {next(iter(over))}", "; ".join(reasons), max(excess, 1e-9))


def _amount(name: str, value: float) -> str:
    return data_size(round(value)) if name == "memory" else f"{value:,.0f}"
