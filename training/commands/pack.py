"""`cnn pack`: a data set as tar files with an index, which are read fast and from anywhere."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...compiler.commands.options import FILE, add_network_options, memory_size, natural
from ...compiler.commands.terminal import ERRORS, OK, UsageError, say
from .common import add_data, needs_torch, progress_display

if TYPE_CHECKING:
    from ..pack.verify import Verified
    from ..pack.whole_set import WholeSet
    from ..pack.write_pack import Packed

EXAMPLES = """\
cnn pack photos -o shards
cnn pack 'table "labels.csv" root="photos"' -o shards --workers 8
cnn pack net.cnn -o shards --as fit
cnn pack net.cnn -o shards --as raw
cnn pack photos -o shards --as fit --resize 256 --quality 95
cnn pack --verify shards"""

DETAILS = """\
It writes tar files in the format of WebDataset, and an index beside them. `data shards "shards"`
trains with them as with the original files: the same images in the same order, with the same split.
Packing may be interrupted at any time; the same command goes on. What cannot be read is listed and
left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="DATA",
        help=f"a spec, whose data is packed ({FILE}); or a folder, a .npz file, or the words of a"
        " `data` line; with --verify, a pack",
    )
    parser.add_argument("-o", "--output", metavar="FOLDER", help="the folder to write, a new one")
    parser.add_argument(
        "--as",
        dest="kind",
        choices=("jpeg", "fit", "raw"),
        help="jpeg: files as they are; fit: resized as the spec says, and saved as JPEG (masks as"
        " PNG); raw: the same as numbers, which are mapped into memory and need no decoding"
        " (default: jpeg for files, raw for arrays)",
    )
    parser.add_argument(
        "--quality",
        type=_quality,
        metavar="N",
        help="with --as fit: the quality of JPEG, 1 to 100 (default: 90)",
    )
    parser.add_argument(
        "--resize",
        type=_side,
        metavar="N",
        help="with --as fit or raw: the shorter side that images get, or height x width like"
        " 256x320, instead of what the spec says",
    )
    parser.add_argument(
        "--shard-size",
        type=memory_size,
        metavar="SIZE",
        help="the bytes of a tar file, at most about (default: 256MB)",
    )
    parser.add_argument(
        "--split",
        action="store_true",
        help="draw the validation part now, and store it as a part of its own; else it is drawn"
        " when the pack is read, and is the same",
    )
    parser.add_argument(
        "--workers", type=natural, metavar="N", help="processes (default: one for each core)"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check a pack: every byte of every member, the index, and that no file is missing",
    )
    add_data(parser, "with a spec: pack this data as the spec prepares it")
    add_network_options(parser)


def _quality(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a quality from 1 to 100")
    return int(text)


def _side(text: str) -> int | tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 0 < int(side) <= 10**5 for side in sides):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size: write 256 for the shorter side, or 256x320"
        )
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def run(options: argparse.Namespace) -> int:
    needs_torch("packing data")
    if options.verify:
        return _verify(options)
    if options.output is None:
        raise UsageError("name the folder to write: -o shards")
    kind = options.kind
    if options.quality is not None and kind != "fit":
        raise UsageError("--quality is that of JPEG: it goes with --as fit")
    if options.resize is not None and kind not in ("fit", "raw"):
        raise UsageError("--resize goes with --as fit or --as raw")

    from ..data.loader.memory_budget import cores
    from ..pack.prepare import QUALITY, has_files, prepared
    from ..pack.write_pack import SHARD_SIZE, write_pack

    whole = _whole(options)
    if kind is None:
        kind = "jpeg" if has_files(whole.contents) else "raw"
    prepare = prepared(
        kind,
        whole.contents,
        whole.plan,
        channels=whole.channels,
        depth=whole.depth,
        side=options.resize,
        quality=options.quality or QUALITY,
    )
    try:
        with progress_display(options) as callback:
            packed = write_pack(
                whole,
                prepare,
                Path(options.output),
                size=options.shard_size or SHARD_SIZE,
                workers=options.workers or cores(),
                progress=callback.reading,
            )
    except KeyboardInterrupt:
        say(f"cnn: stopped; the same command goes on with what is missing in {options.output}")
        raise
    _report(packed, prepare.notes)
    return OK


def _whole(options: argparse.Namespace) -> WholeSet:
    """The data set of a spec, or of the words of a `data` line."""
    from ..data.sources.given import data_of, given, is_word_of_data
    from ..pack.whole_set import set_of_data, set_of_plan

    what = options.what
    named = is_word_of_data(what) and not os.path.isfile(what)
    is_data = named or os.path.isdir(what) or (os.path.isfile(what) and not what.endswith(".cnn"))
    if not is_data and "{" in what:  # train-{0000..0012}.tar
        is_data = True
    if not is_data:
        from .common import request_for

        options.file = what
        request = request_for(options)
        return set_of_plan(request.plan, request.base, split=options.split)
    given_too = [
        name for name in ("data", "set", "network", "input", "max_layers") if getattr(options, name)
    ]
    if given_too:
        option = given_too[0].replace("_", "-")
        raise UsageError(f"--{option} is for specs, and {what} is data")
    here = Path.cwd()
    return set_of_data(data_of(given(what, here, "DATA")), here, split=options.split)


def _report(packed: Packed, notes: tuple[str, ...]) -> None:
    from ...compiler.report.figures import data_size, plural

    index, folder = packed.index, packed.folder
    counts = {part: index.count(part) for part in index.parts}
    shards = sum(map(len, index.parts.values()))
    total = plural(sum(counts.values()), "image")
    shown = ", ".join(f"{count:,} for {_USES[part]}" for part, count in counts.items())
    for note in notes:
        say(f"cnn: {note}")
    _say_left_out(index.left_out)
    print(
        f"{folder}: {total} ({shown}) in {plural(shards, 'tar file')} of"
        f" {data_size(packed.bytes)}" + ("" if packed.written else "; all of it was there already")
    )
    print(f'train with `data shards "{folder}"`')


_USES = {"train": "training", "val": "validation", "test": "testing"}
_MOST = 10


def _say_left_out(left_out: tuple[tuple[str, str], ...]) -> None:
    if not left_out:
        return
    from ...dsl.printable import show as printable

    many = len(left_out)
    say(f"cnn: {many:,} {'file was' if many == 1 else 'files were'} left out:")
    for name, why in left_out[:_MOST]:
        say(f"  {printable(name)}: {printable(why)}")
    if many > _MOST:
        say(f"  and {many - _MOST:,} more, which index.json lists")


def _verify(options: argparse.Namespace) -> int:
    from ..data.loader.memory_budget import cores
    from ..pack.verify import verify

    folder = Path(options.what)
    if options.output is not None or options.kind is not None:
        raise UsageError("--verify only reads a pack: take -o and --as out")
    with progress_display(options) as callback:
        found = verify(folder, workers=options.workers or cores(), progress=callback.reading)
    return _report_verified(folder, found)


def _report_verified(folder: Path, found: Verified) -> int:
    from ...compiler.report.figures import data_size, plural
    from ...dsl.printable import show as printable

    for line in found.wrong:
        print(printable(line))
    checked = f"{plural(found.samples, 'sample')} in {plural(found.shards, 'tar file')}"
    if found.wrong:
        print(f"{folder}: {plural(len(found.wrong), 'fault')} in {checked}")
        print("remove what is damaged; the `cnn pack` that wrote it writes it again")
        return ERRORS
    print(f"{folder}: {checked} ({data_size(found.bytes)}) are as they were written")
    return OK
