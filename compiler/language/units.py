"""Units of what is counted: `5 epochs`, `100 steps`. An argument has a fixed unit, so its number is
written without one; users of other tools write it.
"""

from __future__ import annotations

import re

_SPELLINGS = {
    "epochs": "epoch epochs ep eps",
    "steps": "step steps it its iter iters iteration iterations update updates",
    "batches": "batch batches minibatch minibatches",
    "images": "image images img imgs sample samples example examples",
    "trials": "trial trials",
    "degrees": "deg degree degrees",
    "pixels": "px pixel pixels",
}
_UNITS = {spelling: unit for unit, all in _SPELLINGS.items() for spelling in all.split()}
_COUNTED = re.compile(rf"\b({'|'.join(_SPELLINGS)})\b")
_WITH_UNIT = re.compile(r"([0-9]+(?:\.[0-9]+)?)[ _-]?([A-Za-z]+)")


def unit_of(word: str) -> str:
    """The unit that a word means: `steps` for `iters`; "" if it is not one."""
    return _UNITS.get(word.lower(), "")


def counted(name: str, doc: str) -> str:
    """The unit of an argument: its name, or what its description names first; "" if none."""
    found = _COUNTED.search(name) or _COUNTED.search(doc)
    return found[1] if found else ""


def number_and_unit(text: str) -> tuple[str, str]:
    """`5` and `steps` of `5steps`, `5_steps` and `5 steps`; empty if it is something else."""
    found = _WITH_UNIT.fullmatch(text)
    return (found[1], found[2]) if found and unit_of(found[2]) else ("", "")
