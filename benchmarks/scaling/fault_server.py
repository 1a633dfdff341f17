"""A web server of this process with ranges, and with the faults that a test or benchmark wants."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class Request(NamedTuple):
    path: str
    start: int
    stop: int
    number: int
    """Counted from 1, over all requests."""


Fault = str | None
"""`503`, `429`, `404`, `403`, `cut`, `short`, `slow`, `wrong`, `whole`, `silent`, `reset`."""


class FaultServer:
    """Serves a folder. `fault` decides what goes wrong with a request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault: Callable[[Request], Fault] = lambda request: None
        self.requests: list[Request] = []
        self.sent = Counter[str]()
        """Bytes by path."""
        self.faults = Counter[str]()
        self.delay = 0.0
        """Seconds before each answer."""
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"server_of_faults": self})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def note(self, path: str, start: int, stop: int) -> tuple[Request, Fault]:
        with self._lock:
            request = Request(path, start, stop, len(self.requests) + 1)
            self.requests.append(request)
            fault = self.fault(request)
            if fault is not None:
                self.faults[fault] += 1
            return request, fault


@contextmanager
def serving(folder: Path) -> Iterator[FaultServer]:
    server = FaultServer(folder)
    try:
        yield server
    finally:
        server.close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients go away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of_faults: FaultServer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        of = self.server_of_faults
        path = unquote(urlsplit(self.path).path).lstrip("/")
        place = of.folder / path
        data = place.read_bytes() if place.is_file() else None
        size = len(data) if data is not None else 0
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        start = int(found[1]) if found else 0
        stop = min(size, int(found[2]) + 1) if found else size
        _, fault = of.note(path, start, stop)
        time.sleep(of.delay)
        if fault == "reset":
            self.close_connection = True
            return
        if fault == "silent":
            time.sleep(60)
            return
        if fault in ("404", "403", "503", "429") or data is None:
            self._error(int(fault) if fault in ("404", "403", "503", "429") else 404)
            return
        ranged = found is not None and fault != "whole"
        if ranged and start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = data[start:stop] if ranged else data
        if fault == "wrong":
            body = bytes(each ^ 0x5A for each in body)
        if fault == "short" and ranged and len(body) > 1:
            body = body[: len(body) // 2]
            stop = start + len(body)
        self.send_response(206 if ranged else 200)
        self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "cut":
            body = body[: len(body) // 2]
            self.close_connection = True
        with of._lock:
            of.sent[path] += len(body)
        with suppress(OSError):
            if fault == "slow":
                for begin in range(0, len(body), 4096):
                    self.wfile.write(body[begin : begin + 4096])
                    time.sleep(0.002)
            else:
                self.wfile.write(body)

    def _error(self, status: int) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()
