"""Maps the names of torch operations to one name each, and reads their settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

NUMBERS = frozenset(
    """size shape dim ndim ndimension numel nelement stride dtype device is_cuda requires_grad
    is_floating_point sym_size sym_numel sym_stride type len isinstance eq ne lt le gt ge not_
    is_contiguous _assert _assert_async storage_offset layout is_grad_enabled""".split()
)
"""Operations whose result is not a tensor of data, but a size, type or flag."""

SAME = frozenset(
    """dropout dropout2d dropout1d dropout3d featuredropout alphadropout featurealphadropout
    identity stochasticdepth droppath contiguous clone detach alias float double half quantstub
    dequantstub""".split()
)
"""Operations that do nothing in evaluation mode; they are left out of the graph."""

RESHAPES = frozenset(
    """flatten unflatten view viewas reshape reshapeas to type squeeze unsqueeze permute transpose
    swapaxes expand expandas chunk split splitwithsizes tensorsplit unbind slice shuffle
    channelshuffle pixelshuffle crop pad""".split()
)
"""Operations that only rearrange values. Code does that in many ways, so they are not compared."""


NEGATIVE = "negative"
"""On a link of a sum: the summand is subtracted."""


def comparable(through: Sequence[str]) -> tuple[str, ...]:
    """The operations on a link that do not depend on how the code is written."""
    return tuple(name for name in through if name not in RESHAPES)


_ALIASES = {
    "cat": "concat",
    "concatenate": "concat",
    "iadd": "add",
    "radd": "add",
    "imul": "mul",
    "rmul": "mul",
    "multiply": "mul",
    "isub": "sub",
    "subtract": "sub",
    "div": "div",
    "truediv": "div",
    "itruediv": "div",
    "max": "maximum",
    "min": "minimum",
    "mean": "adaptiveavgpool",
    "hardtanh": "relu6",
}

_DIMENSIONS = re.compile(r"[123]d$")

VARIANTS = {
    "convtranspose": "transposed",
    "layernorm": "layer",
    "groupnorm": "group",
    "instancenorm": "instance",
}
"""Variants of layers that have the same tensors."""


def plain(name: str) -> str:
    """`maxpool` of MaxPool2d and max_pool2d, `add` of `__iadd__` and `add_`."""
    short = _DIMENSIONS.sub("", name.strip("_").lower()).replace("_", "")
    return _ALIASES.get(short, short)


def variant_of(operation: str) -> str:
    for name, variant in VARIANTS.items():
        if operation.startswith(name):
            return variant
    return ""


_POSITIONS: Mapping[str, Mapping[str, int]] = {
    "conv": {"stride": 3, "dilation": 5},
    "convtranspose": {"stride": 3, "dilation": 7},
    "batchnorm": {"eps": 7},
    "layernorm": {"eps": 4},
    "groupnorm": {"eps": 4},
}
"""The positions of the arguments that are compared as settings."""


def settings_of_call(
    operation: str, args: Sequence[object], named: Mapping[str, object]
) -> dict[str, object]:
    settings: dict[str, object] = {}
    for name, position in _POSITIONS.get(operation, {}).items():
        value = named.get(name, args[position] if position < len(args) else None)
        setting(settings, name, value)
    return settings


def settings_of_object(thing: object) -> dict[str, object]:
    """The settings of a torch module or of an operation of a spec."""
    settings: dict[str, object] = {}
    for name in ("stride", "dilation", "eps"):
        setting(settings, name, getattr(thing, name, None))
    return settings


def setting(settings: dict[str, object], name: str, value: object) -> None:
    """Adds a setting if its value is known; a single value for both axes becomes a pair."""
    if name == "eps":
        if isinstance(value, float):
            settings[name] = value
    elif isinstance(value, int):
        settings[name] = (value, value)
    elif isinstance(value, (tuple, list)) and value and all(isinstance(n, int) for n in value):
        settings[name] = tuple(value) if len(value) > 1 else (value[0], value[0])
