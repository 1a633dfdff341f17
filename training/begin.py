"""What a network begins with, where that is not chance: `transfer { from "runs/a" }`."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..compiler.plan.around import Around
from ..compiler.plan.plan import TrainPlan
from ..compiler.plan.transfer import head_of
from ..dsl.diagnostics import Diagnostic, SpecError
from .data.names import resolve
from .matching import match
from .request import Request
from .run_folder import BEST
from .weights import read_weights


def begin_with(plan: TrainPlan, request: Request, module: nn.Module) -> tuple[str, ...]:
    """Puts somebody's weights into a module that is new; says what it has done."""
    transfer = plan.transfer
    if transfer is None:
        return ()
    source = _file(resolve(transfer.source.source, request.base))
    found = match(request.network, read_weights(source))
    anew: list[str] = []
    if transfer.head is not None and transfer.head.reset:
        around = Around(request.network, {"transfer": [transfer.head]})
        anew = [node.name for node in head_of(around)]
    try:
        found.require_complete(anew)
    except SpecError as error:
        raise SpecError([_placed(one, transfer.source.span) for one in error.diagnostics]) from None
    fresh = {
        key: tensor.clone()
        for key, tensor in module.state_dict().items()
        if any(key.startswith(f"{name}.") for name in anew)
    }
    found.load_into(module)
    module.load_state_dict(fresh, strict=False)
    said = f"weights are those of {transfer.source.source}"
    return (f"{said}; {', '.join(anew)} begins anew" if anew else said,)


def _file(path: Path) -> Path:
    """Of a run, its best weights."""
    return path / BEST if path.is_dir() else path


def _placed(diagnostic: Diagnostic, span: object) -> Diagnostic:
    from dataclasses import replace

    return replace(diagnostic, span=diagnostic.span or span)  # type: ignore[arg-type]
