"""What goes wrong with a source elsewhere: what passes, what is final, and the errors for users.

`Transient` and `Final` stay within this folder. What leaves it are SpecErrors: they must not be
taken for images that cannot be decoded, which are left out.
"""

from __future__ import annotations

from ....dsl.diagnostics import Diagnostic, SpecError
from .address import host_of, shown

GONE = "source-gone"
"""The code of the error for a source that does not answer any more."""
CHANGED = "source-changed"
REFUSED = "source-refused"
ENDED = "reading has ended"


class Transient(Exception):
    """A request that failed, and may succeed when it is made again."""

    def __init__(self, reason: str, wait: float | None = None, arrived: int = 0) -> None:
        """`wait` is the number of seconds that the server asks for; `arrived`, the number of bytes
        that came before the failure, which are right."""
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.arrived = arrived


class Final(Exception):
    """A request that fails however often it is made."""

    def __init__(
        self, reason: str, help: str = "", *, missing: bool = False, access: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.help = help
        self.missing = missing
        """Whether there is no such file."""
        self.access = access
        """Whether access is refused."""


class Changed(Exception):
    """A file is not the one that it was when it was opened."""


def refused(url: str, error: Final) -> SpecError:
    message = f"{shown(url)} cannot be read: {error.reason}"
    return SpecError([Diagnostic(REFUSED, message, help=error.help)])


def gone(url: str, reason: str, seconds: float) -> SpecError:
    message = f"{host_of(url)} has not answered for {in_words(seconds)}: {reason}"
    notes = (
        f"the last request was for {shown(url)}",
        "DOTCNN_PATIENCE=900 in the environment waits for 15 minutes",
    )
    help = "go on when it answers again"
    return SpecError([Diagnostic(GONE, message, notes=notes, help=help)])


def changed(url: str) -> SpecError:
    message = f"{shown(url)} has changed since it was opened"
    help = (
        "a run must see the same images in every epoch: put the file back, and go on, or train anew"
    )
    return SpecError([Diagnostic(CHANGED, message, help=help)])


def in_words(seconds: float) -> str:
    """A span of time: `42 s`, `5 minutes`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes"
