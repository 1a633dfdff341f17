"""Object stores and hubs through fsspec: what is in a folder, signed addresses, ranges.

Of S3, only listings and signatures come from fsspec: ranges are read by HTTP with a signed
address, which never leaves memory. That is faster, and answers have the ETag of what was read.
Credentials come from where each package looks for them: environment variables, ~/.aws and the like.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ....dsl.diagnostics import Diagnostic, SpecError
from .address import scheme_of, shown
from .failures import Changed, Final, Transient
from .http_ranges import Version, plain_mark

_PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub",
    "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "oss": "ossfs", "sftp": "paramiko",
    "ssh": "paramiko", "smb": "smbprotocol", "webhdfs": "requests", "hdfs": "pyarrow",
}  # fmt: skip
"""The packages that fsspec reads each kind of store with."""
_SIGNED_FOR = 12 * 3600
MOST_FILES = 1_000_000


class Entry(NamedTuple):
    """A file in a listing."""

    url: str
    version: Version


class ObjectStore:
    """The stores that a process reads, one file system for each scheme."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._systems: dict[str, Any] = {}
        self._signed: dict[str, str] = {}

    def files(self, folder: str) -> list[Entry]:
        """The files below a folder. Raises Final or Transient."""
        with _translated():
            found = self._system(folder).find(_path(folder), detail=True)
        return self._entries(folder, found)

    def matching(self, pattern: str) -> list[Entry]:
        """The files whose names match a pattern with `*` and `?`."""
        with _translated():
            found = self._system(pattern).glob(_path(pattern), detail=True)
        return self._entries(pattern, found)

    def version(self, url: str) -> Version:
        with _translated():
            return _version(self._system(url).info(_path(url)))

    def signed(self, url: str, *, anew: bool = False) -> str:
        """An HTTP address for an object of S3, which is valid for hours."""
        with self._lock:
            known = self._signed.get(url)
        if known is None or anew:
            with _translated():
                known = str(self._system(url, anew=anew).sign(_path(url), expiration=_SIGNED_FOR))
            with self._lock:
                self._signed[url] = known
        return known

    def read(self, url: str, start: int, into: memoryview, known: Version | None) -> None:
        """Fills `into` with the bytes from `start` on."""
        with _translated():
            data = self._system(url).cat_file(_path(url), start=start, end=start + len(into))
        count = min(len(data), len(into))
        into[:count] = data[:count]
        if count < len(into):
            if known is not None and self.version(url) != known:
                raise Changed
            raise Transient("fewer bytes came than were requested", arrived=count)

    def _entries(self, of: str, found: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
        if len(found) > MOST_FILES:
            raise Final(f"it has more than {MOST_FILES:,} files")
        scheme = scheme_of(of)
        return [
            Entry(f"{scheme}://{name.partition('://')[2] or name}", _version(about))
            for name, about in sorted(found.items())
            if about.get("type", "file") == "file"
        ]

    def _system(self, url: str, *, anew: bool = False) -> Any:
        scheme = scheme_of(url)
        with self._lock:
            if anew or scheme not in self._systems:
                self._systems[scheme] = _opened(scheme, url)
            return self._systems[scheme]


def _opened(scheme: str, url: str) -> Any:
    try:
        import fsspec
    except ImportError:
        raise _missing("fsspec", url) from None
    options: dict[str, Any] = {}
    if scheme in ("s3", "s3a"):
        options = _s3_options(url)
    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ImportError:
        raise _missing(_PACKAGES.get(scheme, f"fsspec for {scheme}://"), url) from None
    except ValueError:
        message = f"{shown(url)}: {scheme}:// is not known"
        help = "there are https://, s3://, gs://, hf:// and what else fsspec knows"
        raise SpecError([Diagnostic("no-such-file", message, help=help)]) from None
    try:
        # An instance of its own: those that fsspec keeps belong to another process after a fork.
        return kind(skip_instance_cache=True, use_listings_cache=False, **options)
    except ValueError as error:  # Azure's wants to know an account
        raise _no_access(f"it cannot be opened: {_words(error)}") from None


def _s3_options(url: str) -> dict[str, Any]:
    try:
        from botocore import UNSIGNED  # noqa: F401
        from botocore.session import Session
    except ImportError:
        raise _missing("s3fs", url) from None
    with _translated():
        session = Session()
        unknown = session.get_credentials() is None
        anywhere = not (
            os.environ.get("AWS_ENDPOINT_URL_S3")
            or os.environ.get("AWS_ENDPOINT_URL")
            or session.get_config_variable("region")
        )
    config: dict[str, Any] = {
        "connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 2}
    }  # fmt: skip
    if not unknown:
        config["signature_version"] = "s3v4"
    return {"anon": unknown, "config_kwargs": config, "cache_regions": anywhere and not unknown}


def _missing(package: str, url: str) -> SpecError:
    message = f"{shown(url)} is read with {package}, which is not installed here"
    extra = package in ("s3fs", "fsspec")
    help = 'pip install "dotcnn[remote]"' if extra else f"pip install {package}"
    return SpecError([Diagnostic("missing-package", message, help=help)])


def _path(url: str) -> str:
    """What file systems of fsspec call a file: without the scheme, with which some escape names."""
    return url.partition("://")[2]


def _version(about: Mapping[str, Any]) -> Version:
    names = (
        "ETag", "etag", "generation", "md5Hash", "content_md5", "blob_id", "LastModified",
        "last_modified", "updated", "mtime",
    )  # fmt: skip
    mark = next((about[name] for name in names if about.get(name)), "")
    size = about.get("size")
    return Version(int(size) if size is not None else -1, plain_mark(str(mark)))


@contextmanager
def _translated() -> Iterator[None]:
    """A context whose errors are Final or Transient. Packages of stores raise whatever they like:
    what is not known to be final may pass."""
    try:
        yield
    except (SpecError, Final, Transient, Changed):
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        what = " ".join(str(error).split())[:200]
        bucket = "bucket" in what.lower()
        help = "is the bucket's name right?" if bucket else "is its name right?"
        raise Final("the store does not have it", help, missing=True) from None
    except PermissionError as error:
        words = _words(error)
        raise _no_access(f"access is refused: {words}" if words else "access is refused") from None
    except Exception as error:  # noqa: BLE001 (see above)
        kind = type(error).__name__
        if "Credential" in kind or kind in ("RefreshError", "ProfileNotFound"):
            raise _no_access(f"there are no valid credentials ({kind})") from None
        if isinstance(error, TimeoutError):
            raise Transient("it does not answer") from None
        # Of Azure's client, and of Google's.
        status = str(getattr(error, "status_code", None) or getattr(error, "code", None))
        if status in ("401", "403"):
            raise _no_access(f"access is refused: {_words(error)}") from None
        raise Transient(_words(error) or kind) from None


def _words(error: Exception) -> str:
    """The first sentence of an error, without a query, which may have a signature."""
    text = " ".join(str(error).split()).partition("?")[0]
    return text.partition(". ")[0][:200]


def _no_access(reason: str) -> Final:
    return Final(
        reason,
        "are the credentials right (environment variables, ~/.aws and the like), and may they list"
        " and read the bucket?",
        access=True,
    )
