"""What is said while a source elsewhere is waited for: by any process, shown by the first.

Worker processes send their notes through a pipe: a process that waits for images cannot be asked.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection

Note = Callable[[str], None]

_AGAIN = 600.0
"""Seconds in which the same is said once."""
_LONGEST = 2000
"""Bytes of a note: what is shorter than the buffer of a pipe is written as a whole."""


def _to_standard_error(line: str) -> None:
    sys.stderr.write(f"{line}\n")


_note: Note = _to_standard_error
"""By default, as for what is read before there is a display: classes are counted first."""
_sender: Connection | None = None
_said: dict[str, float] = {}


def say(line: str, key: str = "") -> None:
    """Says something to the user; what has the same `key` is said once in a while."""
    if _sender is not None:
        try:
            _sender.send_bytes(f"{key}\0{line}".encode()[:_LONGEST])
        except OSError:  # the training process has ended
            return
        return
    now = time.monotonic()
    if key and now - _said.get(key, -_AGAIN) < _AGAIN:
        return
    _said[key] = now
    _note(line)


def may_say_again(key: str) -> None:
    """What has this key is news when it is said next."""
    say("", f"!{key}") if _sender is not None else _said.pop(key, None)


@contextmanager
def shown_by(note: Note) -> Iterator[None]:
    """A context in which notes are shown by a function."""
    global _note
    before, _note = _note, note
    _said.clear()
    try:
        yield
    finally:
        _note = before


class FromWorkers:
    """The notes of worker processes; `sender` goes to them."""

    def __init__(self) -> None:
        self._receiver, self.sender = Pipe(duplex=False)
        threading.Thread(target=self._show, daemon=True, name="notes").start()

    def _show(self) -> None:
        while True:
            try:
                key, _, line = self._receiver.recv_bytes().decode(errors="replace").partition("\0")
            except (OSError, EOFError):
                return
            if key.startswith("!"):
                may_say_again(key[1:])
            else:
                say(line, key)

    def close(self) -> None:
        self.sender.close()


def send_through(sender: Connection) -> None:
    """In a worker process: notes go through a pipe."""
    global _sender
    _sender = sender
