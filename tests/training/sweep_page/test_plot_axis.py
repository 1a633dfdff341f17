"""Axes of plots of a sweep."""

from __future__ import annotations

from dotcnn.training.sweep_page.plot_axis import PlotAxis


def test_there_is_nothing_between_two_epochs() -> None:
    """Half an epoch was written as the whole one beside it: 0, 0, 1, 2, 2."""
    axis = PlotAxis("epoch", 0, 2, text="{:.0f}".format, whole=True)
    assert axis.ticks() == [(0.0, "0"), (0.5, "1"), (1.0, "2")]
