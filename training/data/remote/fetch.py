"""Fetches ranges of files elsewhere: by the right client, again after what passes, up to a time.

The waits between attempts grow, and differ at random, so that a source which comes back is not met
by all at once; a source that asks for a pause gets it from all threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import SystemRandom
from typing import TypeVar

from .address import host_of, is_http, scheme_of
from .failures import ENDED, Changed, Final, Transient, changed, gone, in_words, refused
from .http_ranges import UNKNOWN, HttpRanges, Version, Whole
from .notes import may_say_again, say
from .object_store import Entry, ObjectStore
from .remote_settings import patience

_FIRST = 0.25
_LONGEST = 20.0
"""Seconds between attempts: at first, and at most."""
_GLANCE = 0.2
"""Seconds after which a wait is ended if nobody wants to read any more."""
_SILENT = 8.0
"""Seconds of trying again that nothing is said about."""
T = TypeVar("T")


class Fetching:
    """What a process fetches with."""

    def __init__(self) -> None:
        self._http = HttpRanges()
        self._stores = ObjectStore()
        self._patience = patience()
        self._random = SystemRandom()  # the generators of Python and torch belong to training
        self._pause: dict[str, float] = {}
        self._answered: set[str] = set()
        self.stopped = False
        """Whether a signal has ended reading."""
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()
        self._http.close()

    def stop(self) -> None:
        """Ends all requests and waits, from a signal handler: it takes no locks."""
        self.stopped = True
        self._http.cut()

    @property
    def ended(self) -> bool:
        return self.stopped or self._closed.is_set()

    # Each raises SpecError, and Final where the caller may know what to do about it.

    def version(self, url: str) -> Version:
        """The size and the mark of a file; raises Final."""

        def ask(_: int) -> Version:
            if _signs(url):
                return self._signed(url, self._http.version)
            return self._http.version(url) if is_http(url) else self._stores.version(url)

        found = self._again(url, ask)
        if found.size < 0:
            raise Final("the server does not say its size")
        return found

    def listed(self, folder: str) -> list[Entry]:
        return self._again(folder, lambda _: self._stores.files(folder))

    def matching(self, pattern: str) -> list[Entry]:
        return self._again(pattern, lambda _: self._stores.matching(pattern))

    def range(self, url: str, start: int, into: memoryview, known: Version) -> Whole | None:
        """Fills `into` with the bytes from `start` on; or returns the answer of a server that sends
        the whole file. Raises SpecError."""
        whole: Whole | None = None

        def ask(arrived: int) -> int:
            nonlocal whole
            at, rest = start + arrived, into[arrived:]
            if not is_http(url) and not _signs(url):
                self._stores.read(url, at, rest, known)
                return 0
            if _signs(url):
                found = self._signed(url, lambda signed: self._http.read(signed, at, rest, known))
            else:
                found = self._http.read(url, at, rest, known)
            whole = found if isinstance(found, Whole) else None
            return 0

        try:
            self._again(url, ask)
        except Final as error:
            raise refused(url, error) from None
        return whole

    def done(self, whole: Whole) -> None:
        self._http.done(whole)

    def _signed(self, url: str, ask: Callable[[str], T]) -> T:
        try:
            return ask(self._stores.signed(url))
        except Final as error:
            if not error.access:
                raise
        return ask(self._stores.signed(url, anew=True))  # it was valid for a while only

    def _again(self, url: str, ask: Callable[[int], T]) -> T:
        """What `ask` returns at last; it is given the number of bytes that have arrived."""
        host, attempt, arrived = host_of(url), 0, 0
        began = time.monotonic()
        told = False
        while True:
            self._wait(max(0.0, self._pause.get(host, 0.0) - time.monotonic()))
            try:
                result = ask(arrived)
            except Changed:
                raise changed(url) from None
            except Final:
                self._answered.add(host)
                raise
            except Transient as error:
                if error.reason == UNKNOWN and host not in self._answered:
                    raise Final(f"{host}: {UNKNOWN}", "is its name right?") from None
                now = time.monotonic()
                if error.arrived:
                    arrived, attempt, began = arrived + error.arrived, 0, now
                spent = now - began
                if spent >= self._patience:
                    raise gone(url, error.reason, spent) from None
                delay = min(_LONGEST, _FIRST * 2**attempt) * self._random.uniform(0.5, 1.0)
                if error.wait is not None:
                    delay = max(delay, error.wait)
                    self._pause[host] = now + min(delay, self._patience)
                delay = min(delay, max(0.1, self._patience - spent))
                if spent + delay >= min(_SILENT, self._patience) and not told:
                    told = True
                    most = in_words(self._patience)
                    say(f"{host}: {error.reason}; trying again for up to {most}", f"away {host}")
                attempt += 1
                self._wait(delay)
                continue
            self._answered.add(host)
            if told:
                spent = time.monotonic() - began
                say(f"{host} answers again, after {in_words(spent)}", f"back {host}")
                may_say_again(f"away {host}")
                may_say_again(f"back {host}")
            return result

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.ended:
            left = end - time.monotonic()
            if left <= 0:
                return
            self._closed.wait(min(left, _GLANCE))
        raise Final(ENDED)


def _signs(url: str) -> bool:
    return scheme_of(url) in ("s3", "s3a")
