"""What a training process does just now, in a file that whoever makes faults reads."""

from __future__ import annotations

import os
import time
from pathlib import Path

MOMENTS = ("start", "step", "checkpoint", "validation", "between runs")
_WIDTH = 16


class Moments:
    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "moment", os.O_RDWR | os.O_CREAT)
        self.is_writing = False

    def now(self, moment: str) -> None:
        os.pwrite(self._file, moment.ljust(_WIDTH).encode(), 0)

    def writing(self, yes: bool) -> None:
        """A checkpoint is written beside the steps, by another thread."""
        self.is_writing = yes
        os.pwrite(self._file, b"%d" % yes, _WIDTH)

    def read(self) -> str:
        text = os.pread(self._file, _WIDTH + 1, 0).decode()
        return "checkpoint" if text.endswith("1") else text[:_WIDTH].strip()

    def wait_for(self, moment: str, seconds: float) -> bool:
        """Waits until the process does this."""
        end = time.monotonic() + seconds
        while self.read() != moment:
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True
