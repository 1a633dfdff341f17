"""The words of the language that a statement can begin with, and what other tools call them."""

from __future__ import annotations

from functools import lru_cache

from ..ops import REGISTRY

SECTIONS = ("train", "augment", "evaluate", "transfer")
"""What stands at the top of a file beside blocks and networks."""

FORMS = (
    "input", "residual", "dense", "gate", "inception", "concat", "add", "mul", "maximum", "split",
    "aux", "from", "allow", "init",
)  # fmt: skip
"""How layers are put together."""

SHORTCUTS = ("auto", "match", "project", "identity", "pad")
"""What a residual's input may pass through."""


@lru_cache(maxsize=1)
def layer_words() -> frozenset[str]:
    """What can begin a statement of a network's body, blocks apart."""
    return frozenset({word.split(" ", 1)[0] for word in REGISTRY} | set(FORMS))
