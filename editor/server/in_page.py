"""The server in a page: messages come and go as text, through functions of the page. There are no
threads, pipes or sockets; pauses are those of the page's own loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from .language_server import make_server


class _Writer:
    """Hands what the server sends to the page."""

    def __init__(self, send: Callable[[str], object]) -> None:
        self.send = send

    def write(self, data: bytes) -> None:
        self.send(data.decode("utf-8"))

    def close(self) -> None:
        pass


def connect(send: Callable[[str], object]) -> Callable[[str], None]:
    """Starts a server that sends with `send`; returns the function that takes its messages."""
    protocol = make_server().protocol
    protocol.set_writer(_Writer(send), include_headers=False)

    def receive(message: str) -> None:
        protocol.handle_message(json.loads(message, object_hook=protocol.structure_message))

    return receive
