"""Processes of distributed training hear of it when one of them is lost, and which."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from dotcnn.training.runtime import heartbeats as module
from dotcnn.training.runtime.heartbeats import (
    ENDED,
    FAILED,
    INTERRUPTED,
    SILENT,
    Heartbeats,
    Lost,
)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "INTERVAL", 0.02)
    monkeypatch.setattr(module, "_PAUSE", 60.0)
    yield
    module._current.clear()


def three() -> list[Heartbeats]:
    """The first process, and two others."""
    first, *others = (Heartbeats(rank, f"host{rank}") for rank in range(3))
    server = socket.create_server(("127.0.0.1", 0))
    first.listen(server, "token")
    for each in others:
        connection = socket.create_connection(server.getsockname())
        each.connect(connection, "host0", "token")
    until(lambda: len(first.hosts()) == 3)
    assert first.hosts() == {0: "host0", 1: "host1", 2: "host2"}
    return [first, *others]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    assert holds()


def vanish(process: Heartbeats) -> None:
    """As if its process was killed."""
    process.leaving = True
    for line in list(process._lines):
        line.socket.shutdown(socket.SHUT_RDWR)


def test_one_that_is_killed() -> None:
    first, one, two = three()
    called: list[Lost] = []
    two.on_loss = called.append
    vanish(one)
    assert first.lost_within(10) == two.lost_within(10) == Lost(1, "host1", ENDED)
    until(lambda: called == [Lost(1, "host1", ENDED)])


def test_the_first_one_is_killed() -> None:
    first, one, two = three()
    vanish(first)
    assert one.lost_within(10) == two.lost_within(10) == Lost(0, "host0", ENDED)


def test_one_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is there, but its computer has no power."""
    first, _, two = three()
    hello = b'{"token": "token", "rank": 3, "host": "host3"}\n'
    assert first._server is not None
    with socket.create_connection(first._server.getsockname()) as stopped:
        stopped.sendall(hello)
        until(lambda: 3 in first.hosts())
        monkeypatch.setattr(module, "SILENCE", 0.5)
        assert two.lost_within(10) == Lost(3, "host3", SILENT)


def test_one_that_fails_says_why() -> None:
    first, one, two = three()
    one.leave("no such file")
    vanish(one)
    assert first.lost_within(10) == two.lost_within(10) == Lost(1, "host1", FAILED, "no such file")
    said = Lost(1, "host1", FAILED, "no such file").diagnostic(0)
    assert said.message == "process 1 on host1 failed: no such file"


def test_one_that_is_interrupted() -> None:
    first, one, two = three()
    first.leave(interrupted=True)
    assert one.lost_within(10) == two.lost_within(10) == Lost(0, "host0", INTERRUPTED)


def test_those_that_leave_are_not_lost() -> None:
    first, one, two = three()
    one.leave()
    vanish(one)
    until(lambda: len(first.hosts()) == 2)
    first.leave()
    vanish(first)
    until(lambda: not two._lines)
    assert first.lost is None
    assert two.lost is None


def test_strangers_are_turned_away() -> None:
    first, *_ = three()
    assert first._server is not None
    for hello in (
        b'{"token": "guess", "rank": 1, "host": "x"}\n',
        b"GET / HTTP/1.1\r\n\r\n",
        b"7\n",
    ):
        with socket.create_connection(first._server.getsockname()) as stranger:
            stranger.settimeout(10)
            stranger.sendall(hello)
            stranger.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while stranger.recv(100):
                    pass
    assert first.lost is None
    assert len(first.hosts()) == 3


def test_the_process_that_was_stopped_is_told_so() -> None:
    said = Lost(1, "host1", SILENT).diagnostic(1)
    assert said.message == "the others heard nothing from this process for 40 s, and ended"
