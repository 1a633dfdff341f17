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
    """All meanings of a foreign word."""
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
        instead, advice = of_images if of_images[0] or not any(of_series) else of_series
        if instead or advice:
            found.append(Meaning(section, instead, advice))
    argument, why = foreign.argument(word, foreign.ARGUMENTS), foreign.why_left_out(word)
    if argument or why:
        found.append(Meaning("argument", argument, "" if argument else why))
    return found
