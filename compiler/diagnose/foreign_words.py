"""Lookup of words from Keras, torch, Caffe and others, in any place of a spec."""

from __future__ import annotations

from typing import NamedTuple

from ..language import foreign
from ..language.vocabulary import SECTIONS
from ..plan.directive import vocabulary
from ..plan.foreign_directives import known_elsewhere


class Meaning(NamedTuple):
    """The meaning of a foreign word in one context of a spec."""

    where: str
    """`network`, `argument`, or a section: `train`."""
    instead: str
    """What to write instead; "" if there is no equivalent."""
    advice: str
    """Advice: in addition, or if there is no equivalent."""


def meanings(word: str) -> list[Meaning]:
    """All meanings of a foreign word; of `torch.nn.Mish`, those of its last part."""
    return _meanings(word) or (_meanings(word.rpartition(".")[2]) if "." in word else [])


def _meanings(word: str) -> list[Meaning]:
    found = []
    layer = foreign.layer(word)
    if layer is not None:
        found.append(Meaning("network", layer.instead, layer.advice))
    for section in SECTIONS:
        name = foreign.folded(word)
        of_images, of_series = (
            known_elsewhere(vocabulary(section, series)).get(name, ("", ""))
            for series in (False, True)
        )
        # Of images first, unless only series have an equivalent.
        both = [of_images, of_series] if any(of_images) else [of_series]
        if of_images[0] or not of_series[0]:
            both = both[:1]
        elif of_images[1].startswith("there is no equivalent"):
            both = [of_series]
        found += [Meaning(section, *each) for each in both if any(each)]
    argument, why = foreign.argument(word, foreign.ARGUMENTS), foreign.why_left_out(word)
    if argument or why:
        found.append(Meaning("argument", argument, "" if argument else why))
    return found
