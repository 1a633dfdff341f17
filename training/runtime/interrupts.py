"""Ctrl-C, SIGTERM and SIGHUP: finish the batch and save the run; a second one ends at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SAME = 0.3
"""Seconds within which signals count as one."""

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruption:
    """Within it, `asked` says whether somebody wants training to end.

        with Interruption() as interruption:
            for batch in batches:
                …
                if interruption.asked:
                    break

    Within `at_once()`, where nothing has been learned yet that is to be saved, it raises
    KeyboardInterrupt. So does a second signal anywhere, unless it comes at the same time: torchrun
    hands on what the terminal has told everybody already. Outside of the main thread nothing is
    caught.
    """

    def __init__(self) -> None:
        self.asked = False
        self._since = 0.0
        self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for name in _SIGNALS:
                number = getattr(signal, name, None)  # not all are there on Windows
                # Who started us may want some ignored: `nohup cnn train …` outlives its terminal.
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Around long work before the first batch."""
        if self.asked:
            raise KeyboardInterrupt
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _caught(self, number: int, frame: FrameType | None) -> None:
        now, first = time.monotonic(), not self.asked
        if first:
            self.asked, self._since = True, now
        if self._at_once if first else now - self._since > SAME:
            raise KeyboardInterrupt
