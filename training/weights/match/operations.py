"""What operations are called: torch has several names for each, this package needs one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

NUMBERS = frozenset(
    """size shape dim ndim ndimension numel nelement stride dtype device is_cuda requires_grad
    is_floating_point sym_size sym_numel sym_stride type len isinstance eq ne lt le gt ge not_
    is_contiguous _assert _assert_async storage_offset layout is_grad_enabled""".split()
)
"""They give no tensor of data, whatever they are asked about."""

SAME = frozenset(
    """dropout dropout2d dropout1d dropout3d featuredropout alphadropout featurealphadropout
    identity stochasticdepth droppath contiguous clone detach alias float double half quantstub
    dequantstub""".split()
)
"""In evaluation they do nothing, so they are not put down at all."""

RESHAPES = frozenset(
    """flatten unflatten view viewas reshape reshapeas to type squeeze unsqueeze permute transpose
    swapaxes expand expandas chunk split splitwithsizes tensorsplit unbind slice shuffle
    channelshuffle pixelshuffle crop pad""".split()
)
"""The same numbers seen otherwise: written in so many ways that nothing can be told by them."""


def telling(through: Sequence[str]) -> tuple[str, ...]:
    """What of the operations on a link is called the same by everybody."""
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
"""What kinds of layers there are that their tensors do not tell apart."""


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
"""Where the arguments of functions stand that a layer is told by."""


def settings_of_call(
    operation: str, args: Sequence[object], named: Mapping[str, object]
) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, position in _POSITIONS.get(operation, {}).items():
        value = named.get(name, args[position] if position < len(args) else None)
        setting(found, name, value)
    return found


def settings_of_object(thing: object) -> dict[str, object]:
    """Of a module of torch's, or of an operation of ours."""
    found: dict[str, object] = {}
    for name in ("stride", "dilation", "eps"):
        setting(found, name, getattr(thing, name, None))
    return found


def setting(found: dict[str, object], name: str, value: object) -> None:
    """Puts it down if it is known; what holds for both axes as a pair."""
    if name == "eps":
        if isinstance(value, float):
            found[name] = value
    elif isinstance(value, int):
        found[name] = (value, value)
    elif isinstance(value, (tuple, list)) and value and all(isinstance(n, int) for n in value):
        found[name] = tuple(value) if len(value) > 1 else (value[0], value[0])
