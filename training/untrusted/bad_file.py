"""BadFile: why a file cannot be used; the only exception of the readers of untrusted files."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Kind = Literal[
    "damaged", "code", "limit", "kind", "missing", "not-a-file", "unreadable", "missing-package"
]  # fmt: skip

HELP: dict[Kind, str] = {
    "damaged": "download it again: it may be truncated",
    "limit": "the file may be malicious (made to exhaust memory), or it is of another type",
}
"""The default help for each kind."""

_LONGEST = 200


class BadFile(Exception):
    """A file that cannot be used. Its text continues the name of the file: `is damaged: it is
    truncated`."""

    def __init__(self, predicate: str, kind: Kind = "damaged", help: str = "") -> None:
        super().__init__(predicate)
        self.kind = kind
        self.help = help or HELP.get(kind, "")


def damaged(reason: str = "") -> BadFile:
    return BadFile(f"is damaged: {reason}" if reason else "is damaged")


def too_large(predicate: str) -> BadFile:
    return BadFile(predicate, "limit")


def unreadable(error: OSError) -> BadFile:
    reason = error.strerror or type(error).__name__
    return BadFile(f"cannot be read: {reason}", "unreadable")


@contextmanager
def guarded(reason: str = "") -> Iterator[None]:
    """A context that converts any exception of a library to BadFile, with `reason` as its text.

    Libraries document only some of their exceptions. For damaged files they raise almost anything:
    LZMAError, struct.error, AssertionError, TokenError, RecursionError.
    """
    try:
        yield
    except BadFile:
        raise
    except MemoryError:
        raise too_large("needs more memory than there is") from None
    except EOFError:
        raise damaged("it is truncated") from None
    except zlib.error:
        raise damaged("what is compressed in it cannot be unpacked") from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # a seek to an invalid position
            raise damaged(reason or first_line(error)) from None
        raise unreadable(error) from None
    except Exception as error:  # noqa: BLE001 (see above)
        raise damaged(reason or first_line(error)) from None


def first_line(error: BaseException) -> str:
    """The first line of an exception's message; its type if it has no message."""
    line = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
