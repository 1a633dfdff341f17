"""`cnn new`: creates a spec to start from: a small network, or a copy of another."""

from __future__ import annotations

import keyword
import os
import re
from itertools import takewhile
from pathlib import Path

from ..dsl.diagnostics import SpecError
from ..dsl.parser import read
from ..dsl.program import GALLERY
from ..dsl.source import Source
from ..dsl.syntax import Call, Import, Network
from .build.elaborate import elaborate
from .language.vocabulary import SECTIONS
from .load_spec import load
from .network import Network as NetworkGraph
from .plan.check import wrong_classes
from .plan.data import PARTS, NoData
from .plan.make import several_ends
from .recipes import sections

STARTER = GALLERY / "starter.cnn"


def network_name(stem: str) -> str:
    """The name of a network from its file name: `my-net` becomes `MyNet`."""
    words = re.split(r"[^A-Za-z0-9]+", stem)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    if not name or name[0].isdigit() or keyword.iskeyword(name):
        name = f"Net{name}"
    return name


def starter(file_name: str, like: Source | None, weights: str = "") -> str:
    """The text of a new spec.

    With `like`, a copy of that spec under another name, with suitable training sections if it has
    none. `weights` is the source of pretrained weights: then the head gets as many outputs as the
    data has classes.
    """
    template = Source(STARTER.name, STARTER.read_text(encoding="utf-8"), STARTER)
    stem = Path(file_name).name.removesuffix(".cnn")
    text = _renamed(like or template, stem)
    there = _sections(like) if like is not None else {}
    if like is None and not weights:
        return text
    if like is None:  # the starter network, with other sections
        for section in _sections(template).values():
            text = text.replace(section, "")
    network = _network_of(Source(file_name, text))
    if network is not None and not _trains(network):
        return text
    missing = {word: s for word, s in sections(network, weights).items() if word not in there}
    if weights and network is not None:
        text = with_classes(text, network)
    return "\n\n".join([text.rstrip("\n"), *missing.values()]) + "\n"


def network_only(file_name: str, like: Source) -> str:
    """A copy of a spec under another name, without its sections."""
    text = _renamed(like, Path(file_name).name.removesuffix(".cnn"))
    for section in _sections(like).values():
        text = text.replace(section, "")
    return text.rstrip("\n")


def with_data(text: str, folder: Path) -> str:
    """Where images lie beside the spec, its `data` line names them: in `data`, or in `train` and
    `val`; a share for validation is split off only where there is no such folder."""
    for name in ("data", "."):
        there = _folders_in(folder / name)
        if there and (name == "data" or there & {*PARTS["train"]}):
            share = "" if there & {*PARTS["val"]} else " val=20%"
            return text.replace(_DATA, f'data folder "{name}"{share}')
    return text


_DATA = 'data folder "data" val=20%'


def _folders_in(folder: Path) -> set[str]:
    try:
        return {path.name.lower() for path in folder.iterdir() if path.is_dir()}
    except OSError:
        return set()


def _network_of(source: Source) -> NetworkGraph | None:
    """The network of a spec; None if it has errors, which other commands report."""
    try:
        return elaborate(load(source))
    except SpecError:
        return None


def _trains(network: NetworkGraph) -> bool:
    """Whether `cnn train` trains it: a network for images with one input and one output, alone in
    its file."""
    networks = [s for s in network.program.main.statements if isinstance(s, Network)]
    alone = len(networks) == 1 and len(network.inputs) == 1
    return len(network.input.shape) == 3 and not several_ends(network) and alone


def with_classes(text: str, network: NetworkGraph) -> str:
    """Replaces the number of outputs by `classes`."""
    shape = network.output.shape
    found = wrong_classes(NoData.make(), network, shape[0] + 1, size=shape[1:])
    edits = [edit for edit in found.edits if edit.span.source.text == text] if found else []
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _sections(source: Source) -> dict[str, str]:
    """The sections of a spec, with the comments above them."""
    spec, _ = read(source)
    by_name = {}
    for statement in spec.statements:
        if isinstance(statement, Call) and statement.head.value in SECTIONS:
            before = source.text[: statement.span.start].rstrip(" \n")
            lines = before.split("\n")
            comments = list(takewhile(lambda line: line.startswith("#"), reversed(lines)))
            above = sum(len(line) + 1 for line in comments)
            start = len(before) + 1 - above if comments else statement.span.start
            by_name[statement.head.value] = source.text[start : statement.span.end]
    return by_name


def _renamed(source: Source, stem: str) -> str:
    """The text of a spec with another name for its last network, and with imports that work from
    any folder.
    """
    spec, _ = read(source)
    text, edits = source.text, []
    networks = [s for s in spec.statements if isinstance(s, Network)]
    if networks:
        edits.append((networks[-1].name.span, network_name(stem)))
    for statement in spec.statements:
        if isinstance(statement, Import) and source.path is not None:
            path = os.path.normpath(source.path.parent / statement.path.value)
            from_gallery = Path(os.path.relpath(path, GALLERY)).as_posix()
            edits.append((statement.path.span, f'"{from_gallery}"'))
    for span, new in sorted(edits, key=lambda edit: -edit[0].start):
        text = text[: span.start] + new + text[span.end :]
    return _with_header(text, source, stem)


def _with_header(text: str, source: Source, stem: str) -> str:
    """Puts the source of the copy into the first comment."""
    if source.path != STARTER:
        return f"# {stem}.cnn: a copy of {source.name}.\n#\n{text}"
    return re.sub(r"\A# [^:\n]*:", f"# {stem}.cnn:", text)
