"""Why a file cannot be used. Every reader of untrusted files raises BadFile and nothing else."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Kind = Literal[
    "damaged", "code", "limit", "kind", "missing", "not-a-file", "unreadable", "missing-package"
]  # fmt: skip

HELP: dict[Kind, str] = {
    "damaged": "download it again: it may be truncated",
    "limit": "the file is made to exhaust memory, or is of a different kind",
}
"""What to do about it, where that does not depend on what the file is for."""

_LONGEST = 200


class BadFile(Exception):
    """Its text follows the name of the file: `is damaged: it is truncated`."""

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
    """Whatever a library raises over a file becomes a BadFile; `reason` says it in our words.

    Libraries document some of what they raise. Over damaged files they raise nearly everything:
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
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # a seek to where nothing can be
            raise damaged(reason or first_line(error)) from None
        raise unreadable(error) from None
    except Exception as error:  # noqa: BLE001 (see above)
        raise damaged(reason or first_line(error)) from None


def first_line(error: BaseException) -> str:
    """What an exception says, in at most a line; as it has no text, its kind."""
    line = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
