"""notes.json: the tags and the note that its user gave a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...dsl.atomic_file import write_whole
from ..checkpoint.run_folder import NOTES
from ..untrusted.bad_file import BadFile
from ..untrusted.json_text import Optional, load_json, misfit
from ..untrusted.open_file import read_text

MAX_BYTES = 2**20
MAX_NOTE = 10_000
_TAG = re.compile(r"[^\W_][\w.:+-]{0,39}")
_FORM = {"tags": Optional([str]), "note": Optional(str)}


class TagsAndNote(NamedTuple):
    tags: tuple[str, ...] = ()
    note: str = ""

    def tagged(self, tags: Iterable[str]) -> TagsAndNote:
        return self._replace(tags=tuple(dict.fromkeys((*self.tags, *tags))))

    def untagged(self, tags: Iterable[str]) -> TagsAndNote:
        gone = set(tags)
        return self._replace(tags=tuple(tag for tag in self.tags if tag not in gone))


NO_NOTES = TagsAndNote()


class NotATag(ValueError):
    """The text cannot be a tag."""


def tag(text: str) -> str:
    """A tag; raises NotATag."""
    if not _TAG.fullmatch(text):
        raise NotATag(
            f"{text!r} is not a tag: write a word of at most 40 letters, digits, `.`, `-`, `_`, `+`"
            " and `:`"
        )
    return text


def note(text: str) -> str:
    """A note; raises NotATag."""
    if len(text) > MAX_NOTE:
        raise NotATag(f"a note has at most {MAX_NOTE:,} characters, and this has {len(text):,}")
    return text.strip()


def checked_notes(tags: Iterable[str], text: str) -> TagsAndNote:
    """Tags and a note of a program; raises NotATag."""
    return TagsAndNote(tuple(map(tag, [tags] if isinstance(tags, str) else tags)), note(text))


def read_notes(folder: Path) -> TagsAndNote:
    """What is written about a run; nothing if there is no such file, or it is damaged."""
    try:
        data: dict[str, Any] = load_json(read_text(folder / NOTES, MAX_BYTES))
    except BadFile:
        return NO_NOTES
    if misfit(data, _FORM):
        return NO_NOTES
    tags: Sequence[str] = data.get("tags", ())
    return TagsAndNote(
        tuple(dict.fromkeys(each for each in tags if _TAG.fullmatch(each))),
        data.get("note", "")[:MAX_NOTE],
    )


def write_notes(folder: Path, notes: TagsAndNote) -> None:
    """Writes the file, or removes it if there is nothing to write. Raises OSError."""
    if notes == NO_NOTES:
        (folder / NOTES).unlink(missing_ok=True)
        return
    text = json.dumps({"tags": notes.tags, "note": notes.note}, indent=2, ensure_ascii=False)
    write_whole(folder / NOTES, f"{text}\n".encode("utf-8", "replace"))


def add_notes(folder: Path, notes: TagsAndNote) -> None:
    """Adds tags to those of a run, and replaces its note if there is a new one. Raises OSError."""
    before = read_notes(folder)
    after = TagsAndNote(before.tagged(notes.tags).tags, notes.note or before.note)
    if after != before:
        write_notes(folder, after)
