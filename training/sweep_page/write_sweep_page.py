"""Writes report.html, the page of a sweep; called after each trial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...dsl.atomic_file import write_whole
from ..page.document import document
from ..sweep.sweep_facts import SweepFacts, read_sweep
from .importance_section import importance_section
from .parallel_section import parallel_section, script
from .progress_section import progress_section
from .slices_section import slices_section
from .sweep_contents import Curve, SweepContents
from .sweep_css import STYLE
from .sweep_summary import sweep_summary
from .trial_curves import trial_curves
from .trials_section import not_trained_section, trials_section


class SweepPage:
    """Writes the page again and again; what cannot change any more is read once."""

    def __init__(self) -> None:
        self._curves: dict[int, Curve] = {}

    def write(self, facts: SweepFacts) -> Path:
        """Writes the page into the folder of the sweep, completely or not at all; raises
        OSError."""
        write_whole(facts.report, sweep_page(SweepContents(facts, self._curves)).encode())
        return facts.report


def page_writer(say: Callable[[str], None]) -> Callable[[Path], None]:
    """What is called with the folder of a sweep after each trial; a full disk does not end the
    sweep."""
    page = SweepPage()

    def write(folder: Path) -> None:
        try:
            page.write(read_sweep(folder))
        except OSError as error:
            say(f"cannot write the page of the sweep: {error.strerror or type(error).__name__}")

    return write


def sweep_page(contents: SweepContents) -> str:
    """The HTML of the page."""
    sections = [
        sweep_summary(contents),
        progress_section(contents),
        importance_section(contents),
        parallel_section(contents),
        slices_section(contents),
        trial_curves(contents),
        trials_section(contents),
        not_trained_section(contents),
    ]
    facts = contents.facts
    subtitle = f"A sweep of {facts.spec}"
    foot = "Written by dotcnn. This page is self-contained: it loads nothing from the internet."
    return document(
        facts.network,
        subtitle,
        [each for each in sections if each],
        foot,
        style=STYLE,
        script=script(),
    )
