"""Ends reading in worker processes: they leave signals to the training process, and one that waits
for a source elsewhere would not notice for minutes that nobody needs its images any more."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from .remote_blocks import stop_reading

_GRACE = 0.5
"""Seconds until a worker is ended that waits where nothing wakes it: for a connection."""

_listening = 0
"""The process in which a thread listens."""


class EndOfWorkers:
    """In the training process: `receivers` go to the workers, one to each."""

    def __init__(self, workers: int) -> None:
        pipes = [Pipe(duplex=False) for _ in range(workers)]
        self.receivers = [receiver for receiver, _ in pipes]
        self._senders = [sender for _, sender in pipes]

    def tell(self) -> None:
        """Ends reading in all of them, now."""
        for sender in self._senders:
            with suppress(OSError):  # it is told already, or has ended
                sender.send_bytes(b"end")
        self._senders.clear()


def end_when_told(receiver: Connection) -> None:
    """In a worker process: listens whether it is to end."""
    global _listening
    if _listening != os.getpid():
        _listening = os.getpid()
        threading.Thread(target=_listen, args=[receiver], daemon=True, name="end").start()


def _listen(receiver: Connection) -> None:
    with suppress(OSError, EOFError):
        receiver.recv_bytes()
    stop_reading()
    time.sleep(_GRACE)
    os._exit(0)
