"""Ranged requests by HTTP: connections that are kept, redirects, proxies, and what answers mean.

The standard library's client is enough, needs no other package, has no threads that a fork would
lose, and takes less time for a small request than clients that are asynchronous.
"""

from __future__ import annotations

import base64
import http.client
import netrc
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

from .address import is_http, requested
from .failures import Changed, Final, Transient

CONNECT = 10.0
"""Seconds until a connection must be made."""
SILENCE = 30.0
"""Seconds in which at least one byte must arrive."""
SLOWEST = 4096
"""Bytes a second, below which a connection is given up for another."""
UNKNOWN = "its name is not known (DNS)"
_REDIRECTS = 5
_KEPT = 32
_LARGEST_PAGE = 2**16
"""The most bytes of an answer that are read to keep its connection."""
_PIECE = 2**18


OWN = "~"
"""How a mark begins that is not the server's."""


class Version(NamedTuple):
    """What tells one version of a file from another."""

    size: int
    mark: str
    """Its ETag, or the time of its last change; empty if the server says neither."""


class Whole(NamedTuple):
    """The answer of a server that ignores ranges: the whole file, still to be read."""

    version: Version
    response: http.client.HTTPResponse
    connection: http.client.HTTPConnection
    key: tuple[str, ...]


class HttpRanges:
    """Reads ranges of files. Any number of threads may do so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, ...], list[http.client.HTTPConnection]] = {}
        self._context: ssl.SSLContext | None = None
        self._targets: dict[str, str] = {}
        """Where redirects of addresses have led."""
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def version(self, url: str) -> Version:
        """The size and the mark of a file, from the answer to a request for its first byte: some
        addresses are signed for GET alone. Raises Final or Transient."""
        buffer = bytearray(1)
        found = self.read(url, 0, memoryview(buffer), None)
        if isinstance(found, Whole):
            found.connection.close()
            return found.version
        return found

    def read(
        self, url: str, start: int, into: memoryview, known: Version | None
    ) -> Version | Whole:
        """Fills `into` with the bytes from `start` on. Raises Final, Changed or Transient."""
        stop = start + len(into)
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        response, connection, key = self._opened(url, headers)
        keep = False
        try:
            version = _version(response)
            if response.status == 416:
                if known is None and version.size == 0:
                    return version
                raise Changed if known is not None else Final("it is empty")
            if known is not None and version.size >= 0 and _differ(version, known):
                raise Changed
            if response.status == 200:
                if version.size < 0:
                    raise Final("the server ignores ranges, and does not say the size of the file")
                keep = True
                return Whole(version, response, connection, key)
            begin, end = _range(response)
            if begin != start or end > stop or version.size < 0:
                raise Transient("the server sent another range than the one requested")
            fill(response, into[: end - start])
            if end < stop and known is not None:
                reason = "the server sent a shorter range than the one requested"
                raise Transient(reason, arrived=end - start)
            keep = True
            return version
        finally:
            if not keep:
                connection.close()
            elif response.status != 200:
                self._give_back(response, connection, key)

    def done(self, whole: Whole) -> None:
        """Keeps the connection of a whole file that has been read."""
        self._give_back(whole.response, whole.connection, whole.key)

    def close(self) -> None:
        with self._lock:
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()

    def cut(self) -> None:
        """Ends all requests, from a signal handler: it takes no locks."""
        with suppress(RuntimeError):  # another thread connects just now
            for each in list(self._sockets):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    # ---- requests ------------------------------------------------------------------------------

    def _opened(
        self, url: str, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection, tuple[str, ...]]:
        """The answer to a request, of status 200, 206 or 416; redirects are followed."""
        first = requested(url)
        with self._lock:
            target = self._targets.get(first, first)
        try:
            return self._followed(first, target, headers)
        except Final:
            if target == first:
                raise
        with self._lock:  # where it led was valid for a while only
            self._targets.pop(first, None)
        return self._followed(first, first, headers)

    def _followed(
        self, first: str, target: str, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection, tuple[str, ...]]:
        for _ in range(_REDIRECTS + 1):
            response, connection, key = self._sent(target, headers)
            status = response.status
            if status in (200, 206, 416):
                if target != first:
                    with self._lock:
                        self._targets[first] = target
                return response, connection, key
            try:
                if status in (301, 302, 303, 307, 308):
                    target = _redirected(target, response.getheader("Location"))
                    continue
                raise _failure(response)
            finally:
                connection.close()
        raise Final(f"it is redirected more than {_REDIRECTS} times")

    def _sent(
        self, url: str, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection, tuple[str, ...]]:
        parts = urlsplit(url)
        connection, key, path, more = self._connection(parts.scheme, parts.netloc, url)
        every = {
            "Host": parts.netloc.rpartition("@")[2],
            "Accept-Encoding": "identity",
            "User-Agent": "dotcnn",
            **more,
            **_authorization(parts.hostname or ""),
            **headers,
        }
        for attempt in (0, 1):
            reused = connection.sock is not None
            try:
                if not reused:
                    connection.timeout = CONNECT
                    connection.connect()
                    assert connection.sock is not None
                    connection.sock.settimeout(SILENCE)
                    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._sockets.add(connection.sock)
                connection.request("GET", path, headers=every)
                return connection.getresponse(), connection, key
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if isinstance(error, ssl.SSLCertVerificationError):
                    raise Final(f"its certificate is not valid: {error.verify_message}") from None
                # A kept connection may have been closed by the server meanwhile.
                if attempt or not reused or isinstance(error, TimeoutError):
                    raise _network(error) from None
            except ValueError as error:  # a host or header that is not valid
                connection.close()
                raise Final(f"it is not a valid address: {error}") from None
            except BaseException:  # a signal
                connection.close()
                raise
        raise AssertionError

    def _connection(
        self, scheme: str, netloc: str, url: str
    ) -> tuple[http.client.HTTPConnection, tuple[str, ...], str, dict[str, str]]:
        """A connection, the key to keep it by, what is to be requested, and further headers."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        proxy = None if proxy_bypass(host) else getproxies().get(scheme)
        more: dict[str, str] = {}
        try:
            port = parts.port
            via = urlsplit(proxy if "//" in proxy else f"http://{proxy}") if proxy else None
            via_port = via.port if via else None
        except ValueError:
            raise Final("it is not a valid address: its port") from None
        key = (scheme, host, str(port), proxy or "")
        if via is not None and via.username:
            user = f"{unquote(via.username)}:{unquote(via.password or '')}"
            token = base64.b64encode(user.encode()).decode()
            more["Proxy-Authorization"] = f"Basic {token}"
        if scheme == "http" and via is not None:
            path = url
        with self._lock:
            idle = self._idle.get(key)
            if idle:
                return idle.pop(), key, path, {} if scheme == "https" else more
        if not host:
            raise Final("it is not a valid address: it has no host")
        made: http.client.HTTPConnection
        if scheme == "https":
            context = self._secure()
            if via is not None:
                made = http.client.HTTPSConnection(via.hostname or "", via_port, context=context)
                made.set_tunnel(host, port or 443, headers=more)
            else:
                made = http.client.HTTPSConnection(host, port, context=context)
            return made, key, path, {}
        if via is not None:
            return http.client.HTTPConnection(via.hostname or "", via_port), key, path, more
        return http.client.HTTPConnection(host, port), key, path, more

    def _secure(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                own = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
                try:
                    self._context = ssl.create_default_context(cafile=own or None)
                except OSError as error:
                    raise Final(f"the certificates in {own} cannot be read: {error}") from None
            return self._context

    def _give_back(
        self,
        response: http.client.HTTPResponse,
        connection: http.client.HTTPConnection,
        key: tuple[str, ...],
    ) -> None:
        left = response.length or 0
        if response.will_close or left > _LARGEST_PAGE or response.chunked:
            connection.close()
            return
        with suppress(OSError, http.client.HTTPException):
            response.read(left)
            response.close()
            with self._lock:
                idle = self._idle.setdefault(key, [])
                if len(idle) < _KEPT:
                    idle.append(connection)
                    return
        connection.close()


def fill(response: http.client.HTTPResponse, into: memoryview) -> None:
    """Reads as many bytes as `into` has. Raises Transient."""
    done, began = 0, time.monotonic()
    reason = "the connection was cut"
    try:
        while done < len(into):
            count = response.readinto(into[done : done + _PIECE])
            if not count:
                break
            done += count
            spent = time.monotonic() - began
            if spent > SILENCE and done < spent * SLOWEST:
                reason = f"it sends {done / spent:,.0f} bytes a second"
                break
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = _network(error).reason
    if done < len(into):
        raise Transient(reason, arrived=done)


# ---- what answers mean -------------------------------------------------------------------------


def _failure(response: http.client.HTTPResponse) -> Exception:
    status, code = response.status, _code(response)
    said = f"{status} {response.reason or ''}".strip() + (f" ({code})" if code else "")
    if status in (404, 410) or code in ("NoSuchKey", "NoSuchBucket"):
        help = "is the bucket's name right?" if code == "NoSuchBucket" else "is its name right?"
        return Final(f"the server does not have it: {said}", help, missing=True)
    if status in (401, 403, 407) or code in ("ExpiredToken", "InvalidToken"):
        return Final(
            f"access is refused: {said}",
            "are the credentials right (environment variables, ~/.aws, ~/.netrc), and may they read"
            " there? Object stores also answer so for what does not exist",
            access=True,
        )
    if status in (408, 425, 429) or status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return Transient(f"the server answers {said}", _retry_after(response))
    return Final(f"the server answers {said}")


def _code(response: http.client.HTTPResponse) -> str:
    """The code that object stores give in the XML of an error."""
    try:
        found = re.search(rb"<Code>(\w{1,60})</Code>", response.read(4096))
    except (OSError, http.client.HTTPException):
        return ""
    return found[1].decode() if found else ""


def _retry_after(response: http.client.HTTPResponse) -> float | None:
    text = (response.getheader("Retry-After") or "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return None


def _network(error: Exception) -> Transient:
    """What the network says, in words."""
    if isinstance(error, TimeoutError):
        return Transient("it does not answer")
    if isinstance(error, socket.gaierror):
        return Transient(UNKNOWN)
    if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected):
        return Transient("the connection was cut")
    text = (error.strerror or "") if isinstance(error, OSError) else ""
    return Transient(text.lower() or "it does not answer as HTTP does")


def _redirected(url: str, location: str | None) -> str:
    if not location:
        raise Final("the server redirects without saying where to")
    target = urljoin(url, location)
    if not is_http(target) or (url.startswith("https:") and not target.startswith("https:")):
        raise Final("the server redirects to where nothing is read from")
    return requested(target)


def _range(response: http.client.HTTPResponse) -> tuple[int, int]:
    found = re.fullmatch(
        r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", response.getheader("Content-Range") or ""
    )
    if found is None:
        raise Transient("the server sent a range without saying which")
    return int(found[1]), int(found[2]) + 1


def _version(response: http.client.HTTPResponse) -> Version:
    if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
        raise Final("the server compresses it, so that ranges mean something else")
    mark = response.getheader("ETag") or response.getheader("Last-Modified") or ""
    if response.status == 200:
        size = response.length if response.length is not None else -1
    else:
        found = re.search(r"/(\d{1,18})\s*$", response.getheader("Content-Range") or "")
        size = int(found[1]) if found else -1
    return Version(size, plain_mark(mark))


def plain_mark(mark: str) -> str:
    """An ETag as listings and headers have it alike."""
    return mark.strip().removeprefix("W/").strip('"')[:200]


def _differ(now: Version, known: Version) -> bool:
    comparable = now.mark and known.mark and not known.mark.startswith(OWN)
    return now.size != known.size or bool(comparable and now.mark != known.mark)


@lru_cache(64)
def _authorization(host: str) -> Mapping[str, str]:
    """What ~/.netrc says of a host."""
    with suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc(os.environ.get("NETRC")).hosts.get(host)
        if found is not None and found[2] is not None:
            token = base64.b64encode(f"{found[0]}:{found[2]}".encode()).decode()
            return {"Authorization": f"Basic {token}"}
    return {}
