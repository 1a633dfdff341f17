"""Transfer learning: the source of the weights, and the frozen layers."""

from __future__ import annotations

from .contents import Contents
from .markup import Html, details, escape, scrolling, section

_SHOWN = "\nweights of "
"""Behind it stands where each layer is from: a line a layer."""


def transfer(contents: Contents) -> Html | None:
    """None without transfer learning."""
    if not contents.transfer:
        return None
    strategy, mark, layers = contents.transfer.partition(_SHOWN)
    found = [scrolling("Frozen layers", _text(strategy))]
    if layers:
        text = scrolling("Source of the weights", _text(mark.strip("\n") + layers))
        found.append(details("Source of each layer's weights", text))
    return section("transfer", "Transfer learning", *found)


def _text(text: str) -> Html:
    return Html(f"<pre>{chr(10).join(map(escape, text.strip().splitlines()))}</pre>")
