"""All operations, by their words: importing a module of a family registers it."""

from ..language.words_in_force import cached_by_words
from . import (  # noqa: F401
    activation,
    attention,
    conv,
    coords,
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


@cached_by_words
def choice_words() -> frozenset[str]:
    """All words that are choices of an argument."""
    return frozenset(
        word for op in REGISTRY.values() for field in op.fields.values() for word in field.words
    )


__all__ = ["REGISTRY", "choice_words"]
