"""The weights of an imported network: put into its module, which is then held against the original
where that can be run, and written as safetensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import torch
from torch import Tensor, nn

from ... import __version__
from ...compiler.importing.import_network import Imported
from ...compiler.network import Network
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.tensors_file import pieces
from ..inference.load import live
from ..runtime.eval_mode import evaluating

IMAGES = 2
SINGLE, DOUBLE = 1e-5, 1e-9
"""How far the outputs may be apart, of the largest, in the two precisions."""


class Difference(NamedTuple):
    """Between the outputs of the spec and those of the original, for the same random images."""

    of_the_largest: float
    bits: int

    @property
    def allowed(self) -> float:
        return DOUBLE if self.bits == 64 else SINGLE


class WrongPrecision(Exception):
    """The original does not compute in this one: it has numbers of another in its code."""


def compared(imported: Imported) -> Imported:
    """With a sentence about its outputs beside those of the original; raises SpecError if they
    differ."""
    if imported.graph.run is None or imported.left_out:
        return imported
    apart = difference(imported)
    if not apart.of_the_largest <= apart.allowed:
        message = (
            f"the outputs of the spec would be others: by {apart.of_the_largest:.1e} of the"
            f" largest, and {apart.allowed:.0e} is allowed"
        )
        help = "this is a mistake in dotcnn; please report it with the file"
        raise SpecError([Diagnostic("import", message, file=imported.origin, help=help)])
    whose = "random" if imported.graph.initial else "its"
    with_them = f"With {whose} weights, the" if imported.weights else "The"
    said = (
        f"{with_them} outputs for {IMAGES} random images are those of the original to"
        f" {apart.of_the_largest:.0e} of the largest, in {apart.bits} bits."
    )
    return imported._replace(compared=said)


def difference(imported: Imported) -> Difference:
    """Runs both, which has to be possible."""
    run = imported.graph.run
    assert run is not None
    module = module_of(imported)
    doubles = imported.graph.double or _precision(imported) == torch.float64
    for dtype in [torch.float64] * doubles + [torch.float32]:
        inputs = _inputs(imported.network, dtype)
        with torch.no_grad(), evaluating(module):
            # A last softmax is applied by `predict`.
            own = getattr(module.to(dtype), "predict", module)(*inputs)
        try:
            theirs = [torch.as_tensor(each) for each in run([each.numpy() for each in inputs])]
            main = [each for each in imported.graph.outputs if each.aux is None]
            theirs = [t.exp() if each.log else t for t, each in zip(theirs, main, strict=True)]
        except WrongPrecision:
            continue
        apart = _apart(_in_order(imported, own), theirs)
        return Difference(apart, 64 if dtype == torch.float64 else 32)
    message = "the original cannot be run on random images, so its outputs are not compared"
    raise SpecError([Diagnostic("import", message, file=imported.origin)])


def module_of(imported: Imported) -> nn.Module:
    """The emitted module with the weights of the original."""
    module = live(imported.network, __version__).to(_precision(imported))
    module.load_state_dict(state_dict(imported), strict=True)
    return module


def _precision(imported: Imported) -> torch.dtype:
    values: Iterable[Any] = imported.weights.values()
    doubles = any(str(each.dtype).endswith("float64") for each in values)
    return torch.float64 if doubles else torch.float32


def state_dict(imported: Imported) -> dict[str, Tensor]:
    """Its weights, and a count of batches for each batch norm."""
    tensors = {key: _tensor(value) for key, value in imported.weights.items()}
    for node in imported.network.nodes:
        for weight in node.weights:
            if not weight.shape:
                key = f"{node.name}.{weight.name}"
                tensors.setdefault(key, torch.zeros((), dtype=torch.int64))
    return tensors


def write(imported: Imported, file: Path) -> None:
    """Writes its weights."""
    about = {"network": imported.network.name, "from": imported.origin}
    file.write_bytes(b"".join(pieces(state_dict(imported), about)))


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    return torch.from_numpy(numpy.require(value, requirements=["C", "W", "A"]))


def _inputs(network: Network, dtype: torch.dtype) -> list[Tensor]:
    """Random images, the same each time."""
    random = torch.Generator().manual_seed(0)
    return [
        torch.randn(IMAGES, *node.shape, generator=random, dtype=torch.float64).to(dtype)
        for node in network.inputs
    ]


def _in_order(imported: Imported, outputs: Any) -> list[Tensor]:
    """The outputs of the module in the order of the original's."""
    given: Sequence[Tensor] = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    at = {each.node.index: n for n, each in enumerate(imported.network.outputs)}
    main = [each for each in imported.graph.outputs if each.aux is None]
    return [given[at[imported.nodes[each.layer.index]]] for each in main]


def _apart(own: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    apart = 0.0
    for one, other in zip(own, theirs, strict=True):
        if one.shape != other.shape:
            return float("inf")
        scale = other.abs().max().clamp_min(1e-30)
        apart = max(apart, float((one - other).abs().max() / scale))
    return apart
