"""The memory of graphics cards, by name: `cnn report net.cnn --card "RTX 4090"`."""

from __future__ import annotations

import re
from typing import NamedTuple

from ...dsl.closest import closest


class Card(NamedTuple):
    name: str
    memory: int
    """Bytes that torch reports as its total: less than the nominal size, because the driver keeps
    some, newer ones more, and ECC on some cards. Where in doubt, too few rather than too many."""
    source: str
    """Where the figure comes from, in words."""


def _seen(name: str, gib: float) -> Card:
    """A card whose total people report, as torch prints it in messages about memory: the lowest."""
    return Card(name, int(gib * 2**30), "the lowest total that people have reported of it")


def _nominal(name: str, gib: int, *, ecc: bool = False) -> Card:
    """A card of which only the nominal size is known. The driver keeps up to 5 % of GeForce cards,
    most of those with 8 GB; ECC takes a sixteenth of GDDR memory, where it can be switched on."""
    less = 8 if ecc else 5
    return Card(name, gib * 2**30 * (100 - less) // 100, f"its nominal size, less {less} %")


CARDS = (
    _nominal("GTX 1080", 8), _nominal("GTX 1080 Ti", 11), _nominal("RTX 2060", 6),
    _nominal("RTX 2070", 8), _nominal("RTX 2080", 8), _seen("RTX 2080 Ti", 10.56),
    _nominal("TITAN RTX", 24), _nominal("Quadro RTX 8000", 48, ecc=True),
    _seen("RTX 3060", 11.62), _nominal("RTX 3060 Ti", 8), _nominal("RTX 3070", 8),
    _nominal("RTX 3070 Ti", 8), _seen("RTX 3080", 9.62), _nominal("RTX 3080 Ti", 12),
    _seen("RTX 3090", 23.50), _nominal("RTX 3090 Ti", 24), _nominal("RTX 4060", 8),
    _nominal("RTX 4060 Ti 8GB", 8), _nominal("RTX 4060 Ti 16GB", 16), _nominal("RTX 4070", 12),
    _nominal("RTX 4070 SUPER", 12), _nominal("RTX 4070 Ti", 12),
    _nominal("RTX 4070 Ti SUPER", 16), _nominal("RTX 4080", 16), _nominal("RTX 4080 SUPER", 16),
    _seen("RTX 4090", 23.50), _nominal("RTX 5060", 8), _nominal("RTX 5060 Ti 8GB", 8),
    _nominal("RTX 5060 Ti 16GB", 16), _nominal("RTX 5070", 12), _nominal("RTX 5070 Ti", 16),
    _nominal("RTX 5080", 16), _seen("RTX 5090", 31.36), _nominal("RTX A4000", 16, ecc=True),
    _nominal("RTX A5000", 24, ecc=True), _nominal("RTX A6000", 48, ecc=True),
    _nominal("RTX 4000 Ada", 20, ecc=True), _nominal("RTX 5000 Ada", 32, ecc=True),
    _nominal("RTX 6000 Ada", 48, ecc=True), _nominal("RTX PRO 6000", 96, ecc=True),
    _seen("T4", 14.56), _seen("P100", 15.89), _seen("V100 16GB", 15.75),
    _seen("V100 32GB", 31.73), _seen("A10", 21.95), _nominal("A10G", 24, ecc=True),
    _seen("A30", 23.50), _nominal("A40", 48, ecc=True), _seen("A100 40GB", 39.38),
    _seen("A100 80GB", 79.14), _seen("L4", 21.95), _seen("L40", 44.34), _seen("L40S", 44.34),
    _seen("H100 80GB", 79.10), _nominal("H100 NVL", 94), _seen("H200", 139.72),
    _nominal("B200", 180),
)  # fmt: skip


class NoCard(ValueError):
    """The name is not that of one card in the table; the message says which there are."""


def card_named(name: str) -> Card:
    """The card of a name, as people write it: `rtx4090`, `NVIDIA GeForce RTX 4090`, `A100-80GB`."""
    asked = _key(name) or "?"
    found = [card for card in CARDS if _key(card.name) == asked]
    found = found or [card for card in CARDS if _key(_without_size(card.name)) == asked]
    if len(found) == 1:
        return found[0]
    if found:
        listed = " or ".join(f'"{card.name}"' for card in found)
        raise NoCard(f"{name} has several sizes: write {listed}")
    names = {_key(card.name): card.name for card in CARDS}
    close = closest(asked, list(names))
    if close:
        raise NoCard(f'there is no card {name!r} in the table; did you mean "{names[close]}"?')
    known = ", ".join(card.name for card in CARDS)
    raise NoCard(
        f"there is no card {name!r} in the table; give its memory instead: --fit 24GB."
        f" The table has {known}"
    )


def _without_size(name: str) -> str:
    """`A100` of `A100 80GB`; "" of a name without a size."""
    return name.rpartition(" ")[0] if name.endswith("GB") else ""


def _key(name: str) -> str:
    """The name without what people leave out: maker, family, form
    factor, spaces. torch and nvidia-smi print all of them."""
    left_out = (
        r"\b(nvidia|geforce|rtx|gtx|tesla|quadro|sxm\d?|pcie|hbm\d?e?|generation|blackwell"
        r"|(max-q )?workstation edition|server edition)(?=\d|\b)"
    )
    return re.sub(r"[^a-z0-9]", "", re.sub(left_out, " ", name.lower()))
