"""All operations, by their words: importing a module of a family registers it."""

from . import (  # noqa: F401
    activation,
    conv,
    dropout,
    evonorm,
    filter,
    linear,
    merge,
    norm,
    pixel_blocks,
    pool,
    rms_norm,
    scale,
    shape,
)
from .base import REGISTRY
