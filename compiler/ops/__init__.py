"""All operations, by their words: importing a module of a family registers it."""

from . import (  # noqa: F401
    activation,
    attention,
    conv,
    crop,
    dropout,
    evonorm,
    filter,
    linear,
    merge,
    norm,
    pad,
    pixel_blocks,
    pool,
    rms_norm,
    sample,
    scale,
    shape,
    softmax,
    upsample,
)
from .base import REGISTRY

CHOICE_WORDS = frozenset(
    word for op in REGISTRY.values() for field in op.fields.values() for word in field.words
)
"""All words that are choices of an argument."""

__all__ = ["CHOICE_WORDS", "REGISTRY"]
