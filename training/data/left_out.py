"""What was left out of a data set, and why: files, or rows of a table. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BadFile:
    name: str
    reason: str
