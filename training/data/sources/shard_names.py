"""Which tar files a `data shards` line names: on a disk, or elsewhere by their address."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from ....compiler.plan.data import Shards
from ..diagnostic import problem
from ..remote.address import as_path, is_remote, shown
from .file_names import clean, hidden, resolve
from .folder_tree import did_you_mean_beside
from .shard_address import must_be_public, placed
from .shard_storage import LocalStorage, RemoteStorage, Storage

MOST_SHARDS = 100_000


class ShardSet(NamedTuple):
    root: PurePath
    """The folder that the files are in."""
    files: list[PurePath]
    storage: Storage


def shard_set(data: Shards, base: Path, written: str, argument: str) -> ShardSet:
    """The tar files that a path or an address names; raises SpecError."""
    if written.lower().startswith("pipe:") or "::" in written:
        raise problem(
            "no-such-file",
            f"{written} is a command, and commands are not run",
            data,
            argument=argument,
            help="name tar files, or the address of their folder: `s3://bucket/set`",
        )
    names = list(itertools.islice(expanded(written), MOST_SHARDS + 1))
    if len(names) > MOST_SHARDS:
        message = f"{clean(shown(written))} is more than {MOST_SHARDS:,} tar files"
        raise problem("too-many-files", message, data, argument=argument)
    if is_remote(written):
        return _elsewhere(data, written, names, argument)
    return _on_disk(data, base, written, names, argument)


def _on_disk(data: Shards, base: Path, written: str, names: list[str], argument: str) -> ShardSet:
    files: list[Path] = []
    for name in names:
        place = resolve(name.removeprefix("file://"), base)
        if place.is_dir():
            below = sorted(place.glob("**/*.tar"))
            files += [file for file in below if not hidden(file.name)]
        elif "*" in name or "?" in name:
            files += sorted(each for each in place.parent.glob(place.name) if each.is_file())
        else:
            files.append(place)
    lacking = next((file for file in files if not file.is_file()), None)
    if not files or lacking is not None:
        what = clean(lacking.name) if lacking is not None and len(files) > 1 else written
        packed = _compressed(resolve(written, base)) if lacking is None else ""
        kind = "tar file" if lacking is None or lacking.suffix else "file or folder"
        raise problem(
            "no-such-file",
            f"{written} has no tar file" if lacking is None else f"there is no {kind} {what}",
            data,
            argument=argument,
            notes=(f"looked for at {clean(str(lacking or resolve(written, base).absolute()))}",),
            help=f"{packed} is compressed: unpack it to a .tar, whose images can be read one by one"
            if packed
            else did_you_mean_beside(lacking)
            if lacking is not None
            else "",
        )
    root = resolve(written, base)
    root = root if root.is_dir() else common_folder(*(file.parent for file in files))
    return ShardSet(root, [*files], LocalStorage(root))


def _compressed(folder: Path) -> str:
    """The name of a compressed tar file in a folder."""
    forms = ("*.tar.*", "*.tgz", "*.tbz2", "*.txz")
    return next((clean(file.name) for form in forms for file in sorted(folder.glob(form))), "")


def _elsewhere(data: Shards, written: str, urls: list[str], argument: str) -> ShardSet:
    from ..remote.remote_shards import RemoteFolder, root_of, tar_files

    must_be_public(written)
    with placed(data, argument):
        files = tar_files(urls)
    if not files:
        message = f"{clean(shown(written))} has no tar file"
        raise problem("no-such-file", message, data, argument=argument)
    url, root = root_of(files)
    storage = RemoteStorage({as_path(each.url): each for each in files}, RemoteFolder(url))
    return ShardSet(root, [*storage.files], storage)


def storage_of_both(
    data: Shards, root: PurePath, other: PurePath, storage: Storage, more: Storage
) -> tuple[PurePath, Storage]:
    """The folder and the storage of training and validation files; raises SpecError if they are at
    different places."""
    if isinstance(storage, LocalStorage) and isinstance(more, LocalStorage):
        root = common_folder(root, other)
        return root, LocalStorage(root)
    remote = isinstance(storage, RemoteStorage) and isinstance(more, RemoteStorage)
    if remote and root.parts[:2] == other.parts[:2]:
        assert isinstance(storage, RemoteStorage)
        assert isinstance(more, RemoteStorage)
        both = PurePosixPath(os.path.commonpath([root, other]))
        return both, RemoteStorage({**storage.files, **more.files}, storage.folder)
    message = "the tar files for training and those for validation are at different places"
    raise problem("no-such-file", message, data, argument="val", help="name both of one place")


def common_folder(*folders: PurePath) -> Path:
    return Path(os.path.commonpath([Path(folder).absolute() for folder in folders]))


def expanded(pattern: str) -> Iterator[str]:
    """The names that braces stand for, as in a shell: `{0000..0012}`, `{train,val}`."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        yield pattern
        return
    span = re.fullmatch(r"(\d+)\.\.(\d+)", found[1])
    each: Iterator[str] = iter(found[1].split(","))
    if span:
        low, high = int(span[1]), int(span[2])
        width = len(span[1]) if len(span[1]) == len(span[2]) or span[1].startswith("0") else 0
        each = (str(number).zfill(width) for number in range(low, high + 1))
    for one in each:
        for rest in expanded(pattern[found.end() :]):
            yield f"{pattern[: found.start()]}{one}{rest}"
