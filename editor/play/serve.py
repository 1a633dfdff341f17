"""Serves the page and its socket to browsers of this computer: on the loopback address, to who has
the token of the address that was printed, and to no page of another origin.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from base64 import b64decode
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ..server.document import Document
from ..server.language_server import make_server, plain
from .image_page import Shown
from .own_file import OwnFile

PAGE = Path(__file__).resolve().parent.parent / "page"
"""Built by `make playground`; it travels in the wheel."""
WATCH = 0.5
"""Seconds between two looks at the file."""
MOST = 64_000_000
"""Bytes of one message."""

_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self' ws://127.0.0.1:* ws://localhost:*; base-uri 'none'; form-action 'none';"
    " frame-src 'self'; frame-ancestors 'none'"
)
_ALONE = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; img-src data:;"
    " style-src 'unsafe-inline'; frame-ancestors 'self'"
)
"""For a page of `cnn show`, which is one file with all that it needs, in a frame of its own."""


class Play:
    """A page and its sockets."""

    def __init__(self, file: OwnFile | None, told: Callable[[str], object]) -> None:
        self.file = file
        self.told = told
        """Takes what the terminal is to show."""
        self.shown = Shown()
        self.token = secrets.token_urlsafe(16)
        self.port = 0

    async def run(self, port: int, ready: Callable[[str], object]) -> None:
        """Serves until it is cancelled; `ready` takes the address to open."""
        async with serve(
            self.connected,
            "127.0.0.1",
            port,
            process_request=self.answer,
            max_size=MOST,
            compression=None,
        ) as server:
            self.port = _port_of(server)
            ready(f"http://127.0.0.1:{self.port}/?token={self.token}")
            await asyncio.get_running_loop().create_future()

    # ---- the page ----

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """A file of the page; None lets a socket open."""
        hosts = {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}
        if request.headers.get("Host") not in hosts:  # another name that leads to this address
            return _refused("this address is not served")
        parts = urlsplit(request.path)
        given = parse_qs(parts.query).get("token", [""])[0]
        knows = secrets.compare_digest(given.encode(), self.token.encode())
        if parts.path == "/socket":
            origin = request.headers.get("Origin")
            if not knows or origin not in {f"http://{host}" for host in hosts}:
                return _refused("this page may not speak with it")
            return None
        if parts.path == "/":
            if not knows:
                return _refused("open the address that `cnn play` has printed, with its token")
            return _found(self._index(request.headers["Host"]), ".html")
        if parts.path.startswith("/shown/"):
            page = self.shown.pages.get(parts.path.removeprefix("/shown/"))
            if page is None:
                return _refused("this page is no longer kept", HTTPStatus.NOT_FOUND)
            return _found(page, ".html", _ALONE)
        return _file(parts.path)

    def _index(self, host: str) -> bytes:
        socket = f"ws://{host}/socket?token={self.token}"
        text = (PAGE / "index.html").read_text(encoding="utf-8")
        mark = f'<meta name="dotcnn-socket" content="{escape(socket)}" />'
        return text.replace("<title>", f"{mark}<title>", 1).encode()

    # ---- the socket ----

    async def connected(self, connection: ServerConnection) -> None:
        """One page: a language server of its own, and the file."""
        session = _Session(self)
        beside = [
            asyncio.create_task(session.writer.send_to(connection)),
            asyncio.create_task(session.watch()),
        ]
        try:
            async for message in connection:
                session.receive(str(message))
        except ConnectionClosed:
            pass
        finally:
            for task in beside:
                task.cancel()


class _Session:
    def __init__(self, play: Play) -> None:
        self.play = play
        self.writer = _Writer()
        self.server = make_server()
        self.server.protocol.set_writer(self.writer, include_headers=False)
        self.server.after_change = self.changed

        @self.server.feature("dotcnn/playFile")
        def own_file(params: Any) -> Any:
            """The file that the page shows; None without one."""
            file = play.file
            if file is None:
                return None
            return {"uri": file.uri, "name": file.path.name, "text": file.text}

        @self.server.feature("dotcnn/canShow")
        def can_show(params: Any) -> bool:
            return play.shown.possible

        @self.server.feature("dotcnn/show")
        async def show(params: Any) -> Any:
            """The address of a page with an image that went through the network, or why not."""
            given = plain(params)
            document = self.server.documents.get(str(given.get("uri", "")))
            if document is None:
                return {"why_not": "there is no text"}
            spec = document.source.path or Path.cwd() / "net.cnn"
            try:
                image = b64decode(str(given.get("image", "")), validate=True)
            except ValueError:
                return {"why_not": "this is no image"}
            name, why_not = await play.shown.make(spec, document.source.text, image)
            return {"page": f"/shown/{name}"} if name else {"why_not": why_not}

    def receive(self, message: str) -> None:
        protocol = self.server.protocol
        protocol.handle_message(json.loads(message, object_hook=protocol.structure_message))

    def changed(self, document: Document) -> None:
        """Writes what was typed into the file, and into no other."""
        file = self.play.file
        if file is None or document.uri != file.uri:
            return
        try:
            file.write(document.source.text)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self.play.told(f"cannot write {file.path.name}: {reason}")
            self.server.protocol.notify("dotcnn/notWritten", {"reason": reason})

    async def watch(self) -> None:
        """Tells the page when something else has changed the file."""
        file = self.play.file
        while file is not None:
            await asyncio.sleep(WATCH)
            text = file.changed_outside()
            if text is not None:
                self.server.protocol.notify("dotcnn/text", {"uri": file.uri, "text": text})


class _Writer:
    """Sends one message after the other."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[str] = asyncio.Queue()

    def write(self, data: bytes) -> None:
        self.messages.put_nowait(data.decode("utf-8"))

    async def send_to(self, connection: ServerConnection) -> None:
        while True:
            await connection.send(await self.messages.get())

    def close(self) -> None:
        pass


def _file(path: str) -> Response:
    file = (PAGE / path.lstrip("/")).resolve()
    if file.suffix not in _TYPES or not file.is_relative_to(PAGE) or not file.is_file():
        return _refused("there is no such file", HTTPStatus.NOT_FOUND)
    return _found(file.read_bytes(), file.suffix)


def _found(data: bytes, ending: str, policy: str = _POLICY) -> Response:
    headers = Headers()
    headers["Content-Type"] = _TYPES[ending]
    headers["Content-Length"] = str(len(data))
    headers["Content-Security-Policy"] = policy
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cache-Control"] = "no-store"
    headers["Connection"] = "close"
    return Response(HTTPStatus.OK.value, HTTPStatus.OK.phrase, headers, data)


def _refused(why: str, status: HTTPStatus = HTTPStatus.FORBIDDEN) -> Response:
    data = f"{why}\n".encode()
    headers = Headers()
    headers["Content-Type"] = "text/plain; charset=utf-8"
    headers["Content-Length"] = str(len(data))
    headers["Connection"] = "close"
    return Response(status.value, status.phrase, headers, data)


def _port_of(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
