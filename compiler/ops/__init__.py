"""All operations, by the words that a spec writes: importing a family enters it here."""

from . import activation, conv, dropout, filter, linear, merge, norm, pool, shape
from .base import REGISTRY

FAMILIES = (activation, conv, dropout, filter, linear, merge, norm, pool, shape)

ALSO_KNOWN_AS = {name: word for word, op in REGISTRY.items() for name in op.elsewhere}
"""What other tools call an operation, and its word here."""

CHOICE_WORDS = frozenset(
    word for op in REGISTRY.values() for field in op.fields.values() for word in field.words
)
"""Words that an argument of some operation is a choice between."""

__all__ = ["ALSO_KNOWN_AS", "CHOICE_WORDS", "FAMILIES", "REGISTRY"]
