"""The memory of graphics cards, by name: `cnn report net.cnn --card "RTX 4090"`."""

from __future__ import annotations

import re
from typing import NamedTuple

from ...dsl.closest import closest


class Card(NamedTuple):
    name: str
    memory: int
    """Bytes that torch reports as its total: a few percent fewer than the nominal size, because
    the driver keeps some, and ECC on some cards."""


def _seen(name: str, gib: float) -> Card:
    """A card whose total people report, as torch prints it in messages about memory; the lowest."""
    return Card(name, int(gib * 2**30))


def _nominal(name: str, gib: int) -> Card:
    """A card of which only the nominal size is known: 3 % less, the most seen of GeForce cards."""
    return Card(name, gib * 2**30 * 97 // 100)


def _like(name: str, mib: int) -> Card:
    """A card whose total is known from nvidia-smi only: torch reports 0.5 GiB less of the A10 and
    0.6 GiB less of the H100."""
    return Card(name, mib * 2**20 - 600 * 2**20)


CARDS = (
    _nominal("GTX 1080 Ti", 11), _seen("RTX 2080 Ti", 10.74),
    _seen("RTX 3060", 11.76), _seen("RTX 3070", 7.78), _seen("RTX 3080", 9.77),
    _seen("RTX 3090", 23.68), _nominal("RTX 4060", 8), _nominal("RTX 4060 Ti 16GB", 16),
    _nominal("RTX 4070", 12), _nominal("RTX 4070 Ti", 12), _nominal("RTX 4080", 16),
    _seen("RTX 4090", 23.64), _nominal("RTX 5070 Ti", 16), _nominal("RTX 5080", 16),
    _seen("RTX 5090", 31.37), _seen("RTX A4000", 15.61), _nominal("RTX A5000", 24),
    _nominal("RTX A6000", 48), _seen("RTX 6000 Ada", 44.40),
    _seen("T4", 14.56), _seen("P100", 15.89), _seen("V100 16GB", 15.75),
    _seen("V100 32GB", 31.74), _seen("A10", 21.98), _seen("A30", 23.53),
    _seen("A100 40GB", 39.38), _seen("A100 80GB", 79.15), _like("L4", 23034),
    _seen("L40", 44.40), _seen("L40S", 44.40), _seen("H100 80GB", 79.10), _like("H200", 143771),
)  # fmt: skip


class NoCard(ValueError):
    """The name is not that of one card in the table; the message says which there are."""


def card_named(name: str) -> Card:
    """The card of a name, as people write it: `rtx4090`, `NVIDIA GeForce RTX 4090`, `A100-80GB`."""
    asked = _key(name)
    found = [card for card in CARDS if _key(card.name) == asked]
    found = found or [card for card in CARDS if re.fullmatch(rf"{asked}\d+gb", _key(card.name))]
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


def _key(name: str) -> str:
    """The name without what people leave out: maker, family, form factor, spaces."""
    words = re.sub(r"\b(nvidia|geforce|tesla|quadro|sxm\d?|pcie|generation)\b", " ", name.lower())
    return re.sub(r"[^a-z0-9]", "", words)
