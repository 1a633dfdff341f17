"""`conv 3 64 7` and `fc 512 10`, the order of torch's arguments: inputs, outputs, kernel.

In a spec the input channels are known, and the first number is that of the output channels. Such a
line is often a sound one that means something else: 3 filters of 64x64, with a stride of 7.
"""

from __future__ import annotations

import re

KNOWN = "the input channels are known; the first number is the number of outputs"

_CONVOLUTION = re.compile(
    r"(?P<word>(?:\w+:[ ]*)?(?:de)?conv)"
    r"[ ]+(?P<arrive>\d{1,6})[ ]+(?P<leave>\d{1,6})"
    r"[ ]+(?:kernel=)?(?P<kernel>\d{1,3})(?:x(?P=kernel))?"
    r"(?:[ ]+(?P<stride>\d{1,3}))?(?:[ ]+(?P<pad>\d{1,3}))?(?P<rest>(?:[ ]+[A-Za-z].*)?)"
)
_CONNECTED = re.compile(
    r"(?P<word>(?:\w+:[ ]*)?fc)[ ]+\d{1,9}[ ]+(?P<rest>(?:\d|[A-Za-z]\w*\b(?!=)).*)"
)


def meaning(out: int, kernel: tuple[int, int], stride: tuple[int, int]) -> str:
    """What a convolution that was meant for torch does."""
    filters = "1 filter" if out == 1 else f"{out:,} filters"
    return f"{filters} of {kernel[0]}x{kernel[1]} with a stride of {stride[0]}"


_LARGE = 16
"""No usual filter is as large."""

_USUAL = frozenset({3, 5, 7, 9, 11})
"""Usual sizes of filters, which are no usual strides of large ones."""


def convolution(text: str, channels: int) -> str:
    """What a statement that was meant for torch is here; empty where it may well mean what it says.

    The first number has to be that of the channels that arrive, unless it is certain; and the
    filter has to be larger than any usual one, or the stride a size that filters have and strides
    between as many channels do not.
    """
    match = _CONVOLUTION.fullmatch(text)
    if match is None or (int(match["arrive"]) != channels and not is_certain(text)):
        return ""
    leave, kernel = int(match["leave"]), int(match["kernel"])
    if leave < _LARGE and (kernel < 3 or kernel % 2 == 0 or kernel == leave):
        return ""
    size = f"{kernel}x{kernel}"
    further = [f" {name}={match[name]}" for name in ("stride", "pad") if match[name]]
    return f"{match['word']} {leave} {size}{''.join(further)}{match['rest']}"


def is_certain(text: str) -> bool:
    """Whether a statement cannot be meant as it stands, whatever arrives: a filter of 32x32 that
    moves by 3. One who means it writes `kernel=32 stride=3`.
    """
    match = _CONVOLUTION.fullmatch(text)
    return match is not None and int(match["leave"]) >= _LARGE and int(match["kernel"]) in _USUAL


def named(text: str) -> str:
    """The statement as it stands, with its arguments named: `conv 16 kernel=32 stride=3`."""
    match = _CONVOLUTION.fullmatch(text)
    assert match is not None
    names = {
        "kernel": match["leave"], "stride": match["kernel"], "pad": match["stride"],
        "dilation": match["pad"],
    }  # fmt: skip
    written = [f" {name}={value}" for name, value in names.items() if value]
    return f"{match['word']} {match['arrive']}{''.join(written)}{match['rest']}"


def connected(text: str) -> str:
    """The same for a fully connected layer, which takes one number."""
    match = _CONNECTED.fullmatch(text)
    if match is None or match["rest"] in ("on", "off"):
        return ""
    return f"{match['word']} {match['rest']}"
