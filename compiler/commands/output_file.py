"""Output files of commands: refuses to overwrite other files, reports failures to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from .terminal import CommandError, UsageError


@contextmanager
def writing(name: object) -> Iterator[None]:
    """Turns an OSError into a message that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CommandError(f"cannot write {name}: {reason}") from None


def keep_others_files(output: str | None, mark: re.Pattern[bytes], by: str, force: bool) -> None:
    """Raises UsageError if that would overwrite a file that the command did not write."""
    from ...dsl.atomic_file import replaceable

    if output == "":  # `cnn emit net.cnn -o "$OUT"`, where OUT is not set
        raise UsageError("the name of the file to write is empty")
    if output in (None, "-") or force or replaceable(output, mark):
        return
    raise UsageError(f"{output} exists already and was not written by {by}; --force overwrites it")
