"""The report's section about transfer learning: source of the weights, frozen layers."""

from __future__ import annotations

from .contents import Contents
from .markup import Html, details, escape, scrolling, section

_SHOWN = "\nweights of "
"""In transfer.txt, the table of all layers follows this."""


def transfer(contents: Contents) -> Html | None:
    """None without transfer learning."""
    if not contents.transfer:
        return None
    strategy, mark, layers = contents.transfer.partition(_SHOWN)
    parts = [scrolling("Frozen layers", _text(strategy))]
    if layers:
        text = scrolling("Source of the weights", _text(mark.strip("\n") + layers))
        parts.append(details("Source of each layer's weights", text))
    return section("transfer", "Transfer learning", *parts)


def _text(text: str) -> Html:
    return Html(f"<pre>{chr(10).join(map(escape, text.strip().splitlines()))}</pre>")
