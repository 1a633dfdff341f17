"""What the checks of a class have found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Checked:
    failures: list[str] = field(default_factory=list)
    """Sentences."""
    tried: int = 0
    refused: int = 0
    hint: str = ""
    """What the failures have in common, if that is known."""

    def that(self, holds: bool, sentence: str) -> None:
        """Counts a question, and keeps the sentence if it does not hold."""
        self.tried += 1
        if not holds:
            self.failures.append(sentence)
