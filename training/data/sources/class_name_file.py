"""Names of classes in a file, by their numbers: a name on each line, a table, or JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....compiler.plan.data import Data
from ...untrusted.bad_file import BadFile
from ...untrusted.json_text import load_json
from ...untrusted.open_file import read_text
from ..diagnostic import problem
from .file_names import clean

CLASS_NAMES = "classes.txt"
MAX_BYTES = 2**24


def class_names(data: Data, file: Path) -> Mapping[int, str]:
    """The names of classes by their numbers; raises SpecError. A file of lines has the names in the
    order of their numbers, or a number on each line, before or behind the name."""
    try:
        text = read_text(file, MAX_BYTES)
        found = _of_json(load_json(text)) if file.suffix == ".json" else _of_lines(text)
    except BadFile as error:
        missing = error.kind == "missing"
        name = clean(str(file) if missing else file.name)
        message = f"there is no file {name}" if missing else f"{name} {error}"
        raise problem("no-classes", message, data, argument="names") from None
    if not found:
        raise problem("no-classes", f"{clean(file.name)} names no classes", data, argument="names")
    return found


def _of_json(value: Any) -> dict[int, str]:
    if isinstance(value, list):
        return {number: str(name) for number, name in enumerate(value)}
    if not isinstance(value, dict):
        return {}
    if all(str(key).isdecimal() for key in value):
        return {int(key): str(name) for key, name in value.items()}
    if all(type(number) is int for number in value.values()):
        return {number: str(name) for name, number in value.items()}
    return {}


_NUMBERED = (
    r"(?P<number>\d+)[\s,;:]+(?P<name>\S.*)",
    r"(?P<name>.*\S)[,;\t]\s*(?P<number>\d+)",
)


def _of_lines(text: str) -> dict[int, str]:
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines() if line.strip()]
    for pattern in (
        r"(?P<number>\d+)[\s,;:]+(?P<name>\S.*)",
        r"(?P<name>.*\S)[,;\t]\s*(?P<number>\d+)",
    ):
        for rows in (lines, lines[1:]):  # with a header, too
            found = [re.fullmatch(pattern, line) for line in rows]
            if found and all(found):
                return {int(each["number"]): each["name"] for each in found if each}
    return dict(enumerate(lines))
