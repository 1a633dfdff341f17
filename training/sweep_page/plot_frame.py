"""A small plot with two axes, in the manner of the charts of a run's report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..page.markup import Html, element, escape, joined
from .plot_axis import PlotAxis

WIDTH, HEIGHT = 440, 260
_RIGHT, _TOP, _BOTTOM = 16, 24, 46
_LETTER = 7.2
_LONGEST = 14


class PlotFrame:
    """Where points are, and what is around them."""

    def __init__(self, across: PlotAxis, up: PlotAxis, *, height: int = HEIGHT) -> None:
        self.across, self.up, self.height = across, up, height
        self._up = up.ticks()
        self._left = 14 + _LETTER * max((len(_cut(text)) for _, text in self._up), default=1)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, given by shares of the axes."""
        wide = WIDTH - self._left - _RIGHT
        return self._left + x * wide, self.height - _BOTTOM - y * (self.height - _TOP - _BOTTOM)

    def svg(self, label: str, parts: Iterable[str]) -> Html:
        box = f'viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(label)}"'
        return Html(f"<svg {box}>{joined([*self._axes(), *map(Html, parts)])}</svg>")

    def _axes(self) -> list[Html]:
        left, right = n(self._left), WIDTH - _RIGHT
        parts = []
        for share, text in self._up:
            y = self.at(0, share)[1]
            parts.append(
                f'<line class="grid" x1="{left}" x2="{right}" y1="{n(y)}" y2="{n(y)}"/>'
                f'<text x="{n(self._left - 6)}" y="{n(y + 4)}" text-anchor="end">'
                f"{escape(_cut(text))}</text>"
            )
        places = [(self.at(share, 0)[0], _cut(text)) for share, text in self.across.ticks()]
        for x, text in _apart(places):
            y = self.height - _BOTTOM + 17
            anchor = "end" if x > right - _LETTER * len(text) / 2 else "middle"
            x = min(x, right) if anchor == "end" else x
            parts.append(f'<text x="{n(x)}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>')
        parts.append(
            f'<text x="{left}" y="13">{escape(self.up.label)}</text>'
            f'<text x="{right}" y="{self.height - 8}" text-anchor="end">'
            f"{escape(self.across.label)}</text>"
        )
        return [Html(part) for part in parts]


def _apart(places: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The texts that do not overlap the one before."""
    kept: list[tuple[float, str]] = []
    for x, text in places:
        if not kept or x - kept[-1][0] > _LETTER * (len(text) + len(kept[-1][1])) / 2 + 6:
            kept.append((x, text))
    return kept


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def dot(x: float, y: float, css: str, title: str, href: str = "") -> Html:
    """A point with a tooltip, which leads somewhere."""
    circle = (
        f'<circle class="dot {css}" cx="{n(x)}" cy="{n(y)}" r="4">'
        f"{element('title', title)}</circle>"
    )
    return Html(f'<a href="{escape(href)}">{circle}</a>' if href else circle)


def n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
