"""Addresses of shards elsewhere: `s3://bucket/set/train-0000.tar`, `https://host/…`.

Nothing secret may get into messages and records: addresses are shown without their query, which may
have a signature, and one with a password is refused.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit, urlunsplit

HTTP = ("http", "https")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")
_SECRET = re.compile(
    r"(^|&)(x-(amz|goog)-(signature|credential|security-token)|signature|sig|(access_)?token|"
    r"(api_?)?key|password|secret)=",
    re.IGNORECASE,
)


def scheme_of(written: str) -> str:
    """The scheme of an address in lower case; empty for a path."""
    found = _SCHEME.match(written)
    return found[1].lower() if found else ""


def is_remote(written: str) -> bool:
    return scheme_of(written) not in ("", "file")


def is_http(url: str) -> bool:
    return scheme_of(url) in HTTP


def shown(url: str) -> str:
    """An address without what may be secret: user, password, query."""
    if not is_remote(url):
        return url
    rest = re.split(r"[?#]", url, maxsplit=1)[0] if is_http(url) else url
    scheme, _, after = rest.partition("://")
    host, slash, path = after.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def host_of(url: str) -> str:
    """The host, or the bucket with its scheme, to be shown."""
    scheme, _, after = shown(url).partition("://")
    host = after.partition("/")[0]
    return host if scheme in HTTP else f"{scheme}://{host}"


def secret_in(url: str) -> str:
    """What is secret in an address, in words; empty if there is nothing."""
    if not is_remote(url):
        return ""
    if "@" in url.partition("://")[2].partition("/")[0] and is_http(url):
        return "a user name or password"
    if is_http(url) and _SECRET.search(url.partition("?")[2]):
        return "a signature or key"
    return ""


def below(folder: str, name: str) -> str:
    """The address of a file in a folder."""
    base, mark, query = folder.partition("?") if is_http(folder) else (folder, "", "")
    return f"{base.rstrip('/')}/{name}{mark}{query}"


def parent(url: str) -> str:
    """The address of the folder that a file is in, with its query."""
    base, mark, query = url.partition("?") if is_http(url) else (url, "", "")
    return f"{base.rpartition('/')[0]}{mark}{query}"


def as_path(url: str) -> PurePosixPath:
    """An address as a path, for what depends on names alone: `s3:/bucket/set/train-0000.tar`."""
    return PurePosixPath(shown(url))


def requested(url: str) -> str:
    """An address as HTTP sends it: what is not ASCII in its path is escaped."""
    parts = urlsplit(url)
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit((parts.scheme, parts.netloc, path or "/", parts.query, ""))
