"""Files that a command writes: what may not be overwritten, and what to say where it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from .terminal import CommandError, UsageError


@contextmanager
def writing(name: object) -> Iterator[None]:
    """Says which file could not be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CommandError(f"cannot write {name}: {reason}") from None


def keep_others_files(output: str | None, mark: re.Pattern[bytes], by: str, force: bool) -> None:
    """Raises UsageError where a file would be lost that the command did not write."""
    from ...dsl.atomic_file import replaceable

    if output == "":  # `cnn emit net.cnn -o "$OUT"`, where OUT is not set
        raise UsageError("the name of the file to write is empty")
    if output in (None, "-") or force or replaceable(output, mark):
        return
    raise UsageError(
        f"{output} is there already, not made by {by}; it is left as it is, unless with --force"
    )
