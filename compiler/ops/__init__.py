"""All operations, by the words that a spec writes: importing a family enters it here."""

from . import activation, conv, dropout, filter, linear, merge, norm, pool, shape
from .base import REGISTRY

FAMILIES = (activation, conv, dropout, filter, linear, merge, norm, pool, shape)

CHOICE_WORDS = frozenset(
    word for op in REGISTRY.values() for field in op.fields.values() for word in field.words
)
"""Words that an argument of some operation is a choice between."""

__all__ = ["CHOICE_WORDS", "FAMILIES", "REGISTRY"]
