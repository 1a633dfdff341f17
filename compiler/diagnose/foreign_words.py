"""One look-up for a word of Keras, torch, Caffe and others, wherever a spec may say it."""

from __future__ import annotations

from typing import NamedTuple

from ..language import foreign
from ..language.vocabulary import SECTIONS
from ..plan.foreign_directives import known_elsewhere


class Meaning(NamedTuple):
    """What a foreign word means in one place of a spec."""

    where: str
    """`network`, `argument`, or a section: `train`."""
    instead: str
    """What to write; empty where there is nothing."""
    advice: str
    """What to do, where there is nothing to write, or beside it."""


def meanings(word: str) -> list[Meaning]:
    """Everything that a word of other tools means here."""
    found = []
    layer = foreign.layer(word)
    if layer is not None:
        found.append(Meaning("network", layer.instead, layer.advice))
    for section in SECTIONS:
        instead, advice = known_elsewhere(section).get(foreign.folded(word), ("", ""))
        if instead or advice:
            found.append(Meaning(section, instead, advice))
    argument, why = foreign.argument(word, foreign.ARGUMENTS), foreign.why_left_out(word)
    if argument or why:
        found.append(Meaning("argument", argument, "" if argument else why))
    return found
