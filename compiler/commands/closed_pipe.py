"""Standard output whose reader may leave (`cnn … -o maps.png | head`) before a file is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO


@contextmanager
def text_without_a_reader_is_dropped() -> Iterator[None]:
    """A context in which printing goes on into the void when nobody reads any more."""
    with redirect_stdout(_MayBeClosed(sys.stdout)):
        yield


def drop_what_follows(stream: TextIO) -> None:
    """Also what is left in its buffer, so that the last flush cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _MayBeClosed:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            drop_what_follows(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            drop_what_follows(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
