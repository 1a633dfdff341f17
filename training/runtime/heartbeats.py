"""Heartbeats between the processes of distributed training: notice a lost process, and name it.

gloo and NCCL notice a process that was killed, but not a computer without power, a cable that was
pulled or a process that was stopped: they wait for half an hour. Nor do they know why one ended.

Each process has a connection to the first one. Both ends send an empty line every few seconds. A
connection that ends without a word, or is silent for too long, is a lost process; a process that
fails says why. The first process passes that on to all others. Then the connections of gloo or NCCL
are closed, so that whatever waits for the lost process fails at once.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...dsl.diagnostics import Diagnostic

INTERVAL = 2.0
"""The seconds between two heartbeats."""
SILENCE = 40.0
"""After this many seconds without one, a process is lost. Reading a huge file can keep Python from
sending them for some seconds."""
_PAUSE = 5 * INTERVAL
"""A round that took longer: this process was stopped itself, and has not listened to the others."""
_LONGEST = 65_536

ENDED, SILENT, FAILED, INTERRUPTED = "ended", "silent", "failed", "interrupted"


@dataclass(frozen=True)
class Lost:
    """A process that is lost, and why."""

    rank: int
    host: str
    how: str
    text: str = ""
    """The error, of a process that failed."""

    def diagnostic(self, rank: int) -> Diagnostic:
        """The message in the process with this rank."""
        who = f"process {self.rank} on {self.host}"
        notes: tuple[str, ...] = ()
        help = "to go on from the last checkpoint, start the same command again with `--resume`"
        if self.rank == rank:
            message = f"the others heard nothing from this process for {SILENCE:.0f} s, and ended"
            notes = ("it was stopped meanwhile, or its network was down",)
        elif self.how == SILENT:
            message = f"nothing was heard from {who} for {SILENCE:.0f} s"
            notes = ("its computer or its network is down, or the process was stopped",)
        elif self.how == ENDED:
            message = f"{who} was killed, or its computer went down"
            notes = ("the system kills a process when the memory of the computer runs out",)
        elif self.how == INTERRUPTED:
            message = f"{who} was interrupted"
        else:
            message = f"{who} failed: {self.text}"
            help = "when that is mended, the same command with `--resume` goes on"
        return Diagnostic("process-ended", message, notes=notes, help=help)


_current: list[Heartbeats] = []
"""Those of this process, which has one process group."""


def lost_process(seconds: float) -> Diagnostic | None:
    """The message about the process that is lost, for which this waits: connections of gloo may
    break before it is known."""
    lost = _current[-1].lost_within(seconds) if _current else None
    return lost.diagnostic(_current[-1].rank) if lost else None


@dataclass(eq=False)
class _Line:
    """A connection to another process."""

    socket: socket.socket
    rank: int | None = None
    """None until the other one has said who it is."""
    host: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    heard: float = field(default_factory=time.monotonic)
    received: bytes = b""
    left: bool = False
    """Whether the other one has left as it should."""

    def send(self, message: Mapping[str, Any] | None = None) -> None:
        text = b"\n" if message is None else json.dumps(message).encode() + b"\n"
        with suppress(OSError):  # a full buffer, or a connection that has ended: it is noticed
            self.socket.send(text)

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that have come; None if the connection has ended, or what comes is wrong."""
        try:
            received = self.socket.recv(_LONGEST)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not received:
            return None
        self.heard = time.monotonic()
        *lines, self.received = (self.received + received).split(b"\n")
        try:
            messages = [json.loads(line) for line in lines if line]
        except ValueError:
            return None
        wrong = len(self.received) > _LONGEST or any(not isinstance(m, dict) for m in messages)
        return None if wrong else messages


class Heartbeats:
    """The heartbeats of one process, sent and listened to by a thread."""

    def __init__(self, rank: int, host: str, versions: Mapping[str, str] = {}) -> None:
        """`versions` are those of the packages that have to be the same everywhere."""
        self.rank, self.host, self.versions = rank, host, dict(versions)
        self.on_loss: Callable[[Lost], object] = lambda lost: None
        """Called once, in a thread of its own, when a process is lost."""
        self.lost: Lost | None = None
        self.leaving = False
        """Whether this process knows that it ends: nothing is to be done about losses any more."""
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._lines: list[_Line] = []
        self._server: socket.socket | None = None
        self._token = ""
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)
        _current[:] = [self]
        if hasattr(os, "register_at_fork"):  # else a child would keep the connections open
            os.register_at_fork(after_in_child=self._close_sockets)

    # ---- who is there ----

    def listen(self, server: socket.socket, token: str) -> None:
        """As the first process: waits for the others, which know the token."""
        server.setblocking(False)
        self._server, self._token = server, token
        self._selector.register(server, selectors.EVENT_READ)
        self._thread.start()

    def connect(self, connection: socket.socket, first: str, token: str) -> None:
        """As another process: says who it is to the first one, whose host is `first`."""
        connection.setblocking(False)
        line = _Line(connection, 0, first)
        self._add(line)
        line.send({"token": token, "rank": self.rank, "host": self.host, "versions": self.versions})
        self._thread.start()

    def hosts(self) -> dict[int, str]:
        """The hosts of the processes that are connected, by rank; this one included."""
        with self._changed:
            here = {line.rank: line.host for line in self._lines if line.rank is not None}
        return {self.rank: self.host, **here}

    def other_version(self) -> Diagnostic | None:
        """Says which process has another version of a package than this one; None if none has."""
        with self._changed:
            lines = [line for line in self._lines if line.rank is not None]
        for line in sorted(lines, key=lambda line: line.rank or 0):
            for name, version in self.versions.items():
                other = line.versions.get(name)
                if other != version:
                    has = f"{name} {other}" if other else f"another version of {name}"
                    return Diagnostic(
                        "no-launch",
                        f"process {line.rank} on {line.host} has {has}, and process {self.rank} on"
                        f" {self.host} has {name} {version}",
                        help=f"install the same version of {name} on all computers",
                    )
        return None

    @property
    def address(self) -> str:
        """The address of this computer on the network that connects the processes; empty if all are
        on one computer, or nobody has come yet."""
        for line in tuple(self._lines):
            with suppress(OSError):
                own, other = line.socket.getsockname()[0], line.socket.getpeername()[0]
                if own != other:
                    return str(own).removeprefix("::ffff:")
        return ""

    # ---- what becomes of them ----

    def lost_within(self, seconds: float) -> Lost | None:
        """The process that is lost, for which this waits."""
        with self._changed:
            self._changed.wait_for(lambda: self.lost is not None, seconds)
            return self.lost

    def leave(self, failure: str = "", *, interrupted: bool = False) -> None:
        """Tells the others that this process ends: as it should, or why."""
        self.leaving = True
        how = INTERRUPTED if interrupted else FAILED
        bad = bool(failure) or interrupted
        message = {"lost": [self.rank, self.host, how, failure[:1000]]} if bad else {"left": True}
        with self._changed:
            lines = list(self._lines)
        for line in lines:
            if bad or self.lost is None:
                line.send(message)

    def _close_sockets(self) -> None:
        for line in self._lines:
            line.socket.close()
        if self._server is not None:
            self._server.close()

    # ---- the thread ----

    def _run(self) -> None:
        sent = before = time.monotonic()
        while True:
            events = self._selector.select(INTERVAL / 4)
            now = time.monotonic()
            if now - before > _PAUSE:
                for line in self._lines:
                    line.heard += now - before
            before = now
            for key, _ in events:
                if key.fileobj is self._server:
                    self._accept()
                else:
                    self._hear(key.data)
            if now - sent >= INTERVAL:
                sent = now
                for line in self._lines:
                    line.send()
            for line in tuple(self._lines):
                if now - line.heard > SILENCE:
                    self._drop(line, SILENT)

    def _accept(self) -> None:
        assert self._server is not None
        with suppress(OSError):
            connection, _ = self._server.accept()
            connection.setblocking(False)
            self._add(_Line(connection))

    def _add(self, line: _Line) -> None:
        with suppress(OSError):
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self._lines.append(line)
        self._selector.register(line.socket, selectors.EVENT_READ, line)

    def _hear(self, line: _Line) -> None:
        messages = line.receive()
        if messages is None:
            self._drop(line, ENDED)
            return
        for message in messages:
            if line.rank is None:
                if not self._introduced(line, message):
                    self._drop(line, ENDED)
                    return
            elif "left" in message:
                line.left = True
            elif "lost" in message:
                self._lose(_lost(message["lost"]) or Lost(line.rank, line.host, ENDED))

    def _introduced(self, line: _Line, message: Mapping[str, Any]) -> bool:
        """Whether a message says who is at the other end."""
        rank, host = message.get("rank"), message.get("host")
        if message.get("token") != self._token or type(rank) is not int:
            return False
        versions = message.get("versions")
        known = versions if isinstance(versions, dict) else {}
        with self._changed:
            line.versions = {str(name): str(value)[:50] for name, value in known.items()}
            line.rank, line.host = rank, str(host)[:200]
        return True

    def _drop(self, line: _Line, how: str) -> None:
        self._selector.unregister(line.socket)
        line.socket.close()
        with self._changed:
            self._lines.remove(line)
        if line.rank is not None and not line.left:
            self._lose(Lost(line.rank, line.host, how))

    def _lose(self, lost: Lost) -> None:
        with self._changed:
            if self.lost is not None or self.leaving:
                return
            self.lost = lost
            self._changed.notify_all()
        if self._server is not None:
            for line in self._lines:
                line.send({"lost": [lost.rank, lost.host, lost.how, lost.text]})
        threading.Thread(target=self.on_loss, args=[lost], daemon=True).start()


def _lost(value: object) -> Lost | None:
    match value:
        case [int(rank), str(host), str(how), str(text)]:
            return Lost(rank, host, how, text)
    return None
