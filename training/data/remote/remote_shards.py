"""The tar files that an address names: which there are, and parts of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from ....dsl.atomic_file import written as atomically
from ..images.checked_files import cache_folder
from .address import as_path, below, is_http, parent, shown
from .failures import Final, refused
from .http_ranges import OWN, Version
from .remote_blocks import RemoteFile, Wanted, blocks
from .remote_settings import CONNECTIONS


@dataclass(frozen=True)
class RemoteShards:
    """Tar files elsewhere, by their numbers."""

    files: tuple[RemoteFile, ...]

    def read(self, shard: int, offset: int, size: int) -> bytes:
        """A part of a tar file; shorter if the file ends before. Raises SpecError."""
        return blocks().read(self.files[shard], offset, offset + size)

    def ahead(self, places: Iterable[Sequence[int]]) -> None:
        """Begins to fetch what will be read soon: tar files, offsets and sizes."""
        blocks().ahead(
            Wanted(self.files[shard], offset, min(offset + size, self.files[shard].size))
            for shard, offset, size in places
        )

    def forget(self, shard: int, offset: int, size: int) -> None:
        """What was read is wrong: it is fetched again when it is read again."""
        blocks().forget(self.files[shard], offset, offset + size)

    def mark(self, shard: int) -> tuple[int, int] | None:
        """The size and a number made of the ETag, by which images are known to be checked."""
        file = self.files[shard]
        if file.version.mark.startswith(OWN):
            return None
        return file.size, int(file.key[:12], 16)


@dataclass(frozen=True)
class RemoteFolder:
    """Where tar files are, and what else is there."""

    url: str

    def local_copy(self, name: str, most: int) -> Path | None:
        """A copy of a small file in the cache folder; None if there is no such file, or none that
        may be read. Raises SpecError, also if it has more than `most` bytes."""
        url = below(self.url, name)
        try:
            file = opened(url)
        except Final as error:
            if error.missing or error.access:
                return None
            raise refused(url, error) from None
        if file.size > most:
            reason = f"it has {file.size:,} bytes, and may have {most:,}"
            raise refused(url, Final(reason))
        digest = blake2b(f"{file.key}/{name}".encode(), digest_size=16).hexdigest()
        place = cache_folder() / "remote-files" / digest / PurePosixPath(name).name
        if place.is_file() and place.stat().st_size == file.size:
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomically(place) as scratch, open(scratch, "wb") as copy:
            for start in range(0, file.size, _PIECE):
                copy.write(blocks().read(file, start, start + _PIECE))
        return place


_PIECE = 2**23


def content(url: str, most: int) -> bytes:
    """A file of at most `most` bytes. Raises SpecError."""
    (file,) = each_opened([url])
    if file.size > most:
        raise refused(url, Final(f"it has {file.size:,} bytes, and may have {most:,}"))
    return blocks().read(file, 0, file.size)


def opened(url: str, known: Version | None = None) -> RemoteFile:
    """A file with its size and mark; raises Final or SpecError."""
    version = blocks().fetching.version(url) if known is None else known
    if not version.mark:  # nothing tells whether it changes: what is kept is of this run alone
        version = version._replace(mark=OWN + os.urandom(8).hex())
    return RemoteFile(url, version)


def each_opened(urls: Sequence[str]) -> list[RemoteFile]:
    """Files with their sizes and marks; raises SpecError for the first that cannot be read."""

    def one(url: str) -> RemoteFile:
        try:
            return opened(url)
        except Final as error:
            raise refused(url, error) from None

    blocks()  # anew, if a signal ended reading before: that is up to the main thread
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        return list(pool.map(one, urls))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def tar_files(urls: Iterable[str]) -> list[RemoteFile]:
    """The tar files that addresses name: files, patterns, or folders of stores that can list what
    they have. Raises SpecError."""
    found: list[RemoteFile] = []
    names: list[str] = []
    for url in urls:
        path = shown(url)
        pattern = "*" in path or "?" in path
        if path.endswith(".tar") and not pattern:
            names.append(url)
            continue
        if is_http(url):
            raise refused(url, Final(_NO_LISTS, _NAME_THEM))
        fetching = blocks().fetching
        try:
            entries = fetching.matching(url) if pattern else fetching.listed(url)
        except Final as error:
            raise refused(url, error) from None
        found += [opened(each.url, each.version) for each in entries if _is_tar(each.url)]
    return found + each_opened(names)


_NO_LISTS = "web servers do not say what is in a folder"
_NAME_THEM = "name the tar files: `…/train-{0000..0012}.tar`"


def _is_tar(url: str) -> bool:
    name = url.rpartition("/")[2]
    return name.endswith(".tar") and not name.startswith(".")


def root_of(files: Sequence[RemoteFile]) -> tuple[str, PurePosixPath]:
    """The folder that all files are in, as an address and as a path; the address is empty if they
    are not in one place."""
    folders = {parent(each.url) for each in files}
    first = min(folders, key=len)
    path = PurePosixPath(os.path.commonpath([as_path(each) for each in folders]))
    while as_path(first) != path and "/" in first.partition("://")[2]:
        first = parent(first)
    return (first if as_path(first) == path else ""), path
