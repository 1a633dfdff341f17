"""Networks of torchvision and timm by their names: `torchvision:resnet50`, `timm:resnest50d`. They
are made anew with initial values, or get the weights of a file; nothing is downloaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import nn

from ...compiler.importing.graph import Graph
from ...compiler.importing.readers import Given
from ...compiler.shapes import Shape
from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, SpecError
from ..runtime.import_torchvision import torchvision
from ..weights.read import read_weights
from .from_module import usual_input
from .torch_module import graph_of_module

_USUAL = (3, 224, 224)
_LISTED = 10


class _Library(NamedTuple):
    """Where networks are by their names."""

    name: str
    install: str
    names: Callable[[Any], Iterable[str]]
    make: Callable[[Any, str], nn.Module]
    size: Callable[[Any, str, nn.Module], Shape | None]


def read_torchvision(given: Given) -> Graph:
    try:
        models = torchvision("models")
    except ImportError:
        raise _missing(_TORCHVISION) from None
    return _read(given, _TORCHVISION, models)


def read_timm(given: Given) -> Graph:
    try:
        torchvision()  # timm imports it, and cannot do so where its extension does not fit
        import timm
    except ImportError:
        raise _missing(_TIMM) from None
    return _read(given, _TIMM, timm)


def _read(given: Given, library: _Library, package: Any) -> Graph:
    name = given.name.partition(":")[2]
    known = [*library.names(package)]
    if name not in known:
        close = closest(name, known)
        message = f"{library.name} has no network `{name}`"
        help = f"did you mean {library.name}:{close}?" if close else ""
        raise SpecError([Diagnostic("import", message, help=help)])
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        module = library.make(package, name)
        if given.weights:
            _load(module, given)
        else:
            stir(module)
    size = given.input_shape or library.size(package, name, module) or _USUAL
    graph = graph_of_module(module, size, name)
    return graph._replace(initial=not given.weights)


def _load(module: nn.Module, given: Given) -> None:
    """Puts the weights of a file into the module; all have to fit."""
    own = module.state_dict()
    read = read_weights(given.weights)
    counts = {key for key in own if key.rpartition(".")[2] == "num_batches_tracked"}
    wrong = [f"`{key}` is missing" for key in own if key not in read and key not in counts]
    wrong += [f"`{key}` is none of its weights" for key in read if key not in own]
    for key in own.keys() & read.keys():
        if own[key].shape != read[key].shape:
            has, needs = ("x".join(map(str, each.shape)) for each in (read[key], own[key]))
            wrong.append(f"`{key}` is {has or 'one number'}, not {needs or 'one number'}")
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        message = f"{given.weights} has the weights of another network: {'; '.join(wrong[:3])}"
        raise SpecError([Diagnostic("weights", message + more, file=given.weights)])
    module.load_state_dict(read, strict=False)


def stir(module: nn.Module) -> None:
    """Gives what all networks begin with (a scale of 1, a mean of 0) random values, so that the
    outputs depend on it."""
    random = torch.Generator().manual_seed(0)
    statistics = {
        id(each)
        for part in module.modules()
        for key, each in part.named_buffers(recurse=False)
        if key in ("running_mean", "running_var")
    }
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if not tensor.is_floating_point() or not tensor.numel():
                continue
            trained = isinstance(tensor, nn.Parameter)
            if (trained or id(tensor) in statistics) and bool((tensor == tensor.view(-1)[0]).all()):
                positive = torch.rand(tensor.shape, generator=random) * 0.5 + 0.5
                tensor.copy_(positive if tensor.view(-1)[0] else positive * 0.2)


def _missing(library: _Library) -> SpecError:
    message = f"networks of {library.name} are made by {library.name}, which is not installed here"
    return SpecError([Diagnostic("missing-package", message, help=library.install)])


# ---- torchvision ---------------------------------------------------------------------------------


def _torchvision_names(models: Any) -> list[str]:
    return list(models.list_models())


def _torchvision_module(models: Any, name: str) -> nn.Module:
    # These two warn that they initialize slowly, unless they are told something.
    more: dict[str, object] = {}
    if name in ("googlenet", "inception_v3"):
        more["init_weights"] = False
    if name.partition("_")[0] in _ON_A_BACKBONE:
        more["weights_backbone"] = None
    made: nn.Module = models.get_model(name, weights=None, **more)
    return made


_ON_A_BACKBONE = (
    "deeplabv3", "fasterrcnn", "fcn", "fcos", "keypointrcnn", "lraspp", "maskrcnn", "retinanet",
    "ssd300", "ssdlite320",
)  # fmt: skip
"""Would download the weights of a part."""


def _torchvision_size(models: Any, name: str, module: nn.Module) -> Shape | None:
    """What its weights were trained with last: the size of the crop."""
    try:
        weights = models.get_model_weights(name)
        size = weights["DEFAULT"].transforms.keywords.get("crop_size")
    except (ValueError, KeyError, AttributeError):
        return None
    return (3, size, size) if type(size) is int else None


_TORCHVISION = _Library(
    "torchvision",
    'pip install "dotcnn[torchvision]"',
    _torchvision_names,
    _torchvision_module,
    _torchvision_size,
)


# ---- timm ----------------------------------------------------------------------------------------


def _timm_names(timm: Any) -> list[str]:
    return list(timm.list_models())


def _timm_module(timm: Any, name: str) -> nn.Module:
    made: nn.Module = timm.create_model(name, pretrained=False)
    return made


_TIMM = _Library(
    "timm",
    "pip install timm",
    _timm_names,
    _timm_module,
    lambda timm, name, module: usual_input(module),
)
