"""`cnn runs`: the runs in a folder beside one another, and what to keep of them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...compiler.commands.plot_file import PLOTS, must_have_folders, write_plot
from ...compiler.commands.terminal import (
    ERRORS,
    OK,
    CommandError,
    UsageError,
    print_diagnostics,
    say,
    style,
)
from ...dsl.diagnostics import SpecError
from .common import print_json

if TYPE_CHECKING:
    from ...compiler.report.style import Style
    from ...dsl.diagnostics import Diagnostic
    from ..runs.find_runs import Read
    from ..runs.remove_runs import Removal
    from ..runs.run_facts import RunFacts
    from ..runs.run_rows import Row
    from ..runs.tags_and_note import TagsAndNote

EXAMPLES = """\
cnn runs
cnn runs --where "top1 > 90% and params < 300k" --sort top1
cnn runs --seeds --columns name,top1,test.top1,train.optimizer.lr
cnn runs --watch
cnn runs runs/digits --curve loss -o loss.svg
cnn runs tag digits-3 good baseline
cnn runs note digits-3 "warm-up helps"
cnn runs rm digits-2 digits-5
cnn runs rm --where "state == killed" --yes"""

DETAILS = """\
Without a FOLDER, those in runs/. The networks of an ensemble, the folds of a cross-validation and
the trials of a sweep are one line, unless --members asks for them.

  cnn runs tag RUN TAG...    give a run tags; with --where, all runs that it selects
  cnn runs untag RUN TAG...  take them away again
  cnn runs note RUN TEXT     write a note about a run; "" removes it, no TEXT shows it
  cnn runs rm RUN...         remove runs, after asking; with --where, those that it selects
(A folder of such a name is ./tag.) A RUN is a folder; or, of those in runs/, its name, the
beginning of its name, or a tag that no other run has.

--where, --sort and --columns know metrics (top1, loss, test.top1), facts (name, state, params,
macs, seconds, epochs, best_epoch, seed, device, tag, age), parameters of the network, and values
of the plan (train.optimizer.lr). Shares are written as fractions or in percent: 0.9 is 90%."""

ACTIONS = ("tag", "untag", "note", "rm")
_EVERY = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="RUNS", help="folders with runs in them; or tag, note, rm"
    )
    parser.add_argument(
        "--where", metavar="CONDITION", help='only runs that fulfil it: "top1 > 90%%"'
    )
    parser.add_argument(
        "--sort",
        metavar="NAME",
        help="sort by a value: of metrics the best first, of others the smallest (default: by the"
        " time when they were started)",
    )
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument(
        "--columns", metavar="NAMES", help="these values as columns, separated by commas"
    )
    parser.add_argument(
        "--seeds",
        action="store_true",
        help="runs that differ only in their seed as one line, with mean and standard deviation",
    )
    parser.add_argument(
        "--members",
        action="store_true",
        help="also the networks of ensembles, the folds and the trials of sweeps, each on its line",
    )
    parser.add_argument(
        "--format",
        choices=["table", "json", "csv"],
        default="table",
        help="table for people, json and csv for programs (default: table)",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="show the table as it changes, until Ctrl-C; without a terminal, a line for each"
        " change",
    )
    parser.add_argument(
        "--until-done", action="store_true", help="with --watch: end when no run is running"
    )
    parser.add_argument(
        "--every",
        type=_seconds,
        metavar="SECONDS",
        help="with --watch: how often to look (default: 2)",
    )
    parser.add_argument(
        "--curve",
        metavar="METRIC",
        help="draw a metric, epoch by epoch, instead of the table: of one run its training and its"
        " validation, of several the validation of each",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="with --curve: the file (.svg, .png or .html)"
    )
    parser.add_argument("--yes", action="store_true", help="with rm: remove them without asking")
    parser.add_argument(
        "--keep-best",
        action="store_true",
        help="with rm: remove only checkpoints, from which a run is resumed; the best weights and"
        " results stay",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time of 0.1 to 86400 seconds")
    return seconds


def run(options: argparse.Namespace) -> int:
    action = options.words[0] if options.words and options.words[0] in ACTIONS else ""
    _check_options(options, action)
    words = options.words[1:] if action else options.words
    if action == "rm":
        return _remove(options, words)
    if action:
        return _annotate(options, action, words)
    return _watch(options, words) if options.watch else _list(options, words)


def _check_options(options: argparse.Namespace, action: str) -> None:
    """Raises UsageError for options that do not belong together."""
    if action != "rm" and (options.yes or options.keep_best):
        raise UsageError("--yes and --keep-best are for `cnn runs rm`")
    listing = ("sort", "reverse", "columns", "seeds", "watch", "curve")
    if action and any(getattr(options, name) for name in listing):
        names = ", ".join(f"--{name}" for name in listing)
        raise UsageError(f"`cnn runs {action}` does not list runs: leave out {names}")
    if (options.until_done or options.every) and not options.watch:
        raise UsageError("--until-done and --every are for --watch")
    if bool(options.curve) != bool(options.output):
        raise UsageError("--curve METRIC and -o FILE belong together")
    if options.output and Path(options.output).suffix.lower() not in PLOTS:
        raise UsageError(f"a plot is written as .svg, .png or .html, not {options.output}")
    if options.watch and options.format != "table":
        raise UsageError("--watch shows a table; for programs, run `cnn runs --format json` again")


# ---- listing ---------------------------------------------------------------------------------


def _list(options: argparse.Namespace, folders: Sequence[str]) -> int:
    from ..runs.run_data import runs_csv, runs_json

    runs = _find(options, folders)
    if options.curve and runs:
        return _draw_curves(options, runs)
    rows = _rows(options, runs)
    columns = _columns(options)
    if options.format == "json":
        print_json(runs_json(rows, columns))
    elif options.format == "csv":
        print(runs_csv(rows, columns), end="")
    elif rows:
        print(_table(options, rows, style(options)))
    else:
        say("cnn: no run fulfils the condition" if options.where else f"cnn: {_none(folders)}")
    return OK


def _draw_curves(options: argparse.Namespace, runs: Sequence[RunFacts]) -> int:
    from ...dsl.closest import closest
    from ..runs.run_curves import curves_plot, metrics_of

    must_have_folders(options.output)
    svg = curves_plot(runs, options.curve)
    if svg is None:
        known = metrics_of(runs)
        close = closest(options.curve, known)
        hint = f"did you mean `{close}`?" if close else f"there are {', '.join(known) or 'none'}"
        raise CommandError(f"no run has the metric {options.curve}: {hint}")
    write_plot(options.output, options.curve, svg)
    return OK


def _none(folders: Sequence[str]) -> str:
    where = " or ".join(folders) if folders else "runs/"
    return f"there is no run in {where} yet; `cnn train` makes one"


def _table(options: argparse.Namespace, rows: Sequence[Row], style: Style) -> str:
    from ..runs.run_table import runs_table

    encoding = (sys.stdout.encoding or "ascii").lower()
    arrow = "→" if encoding.startswith("utf") else "->"
    return runs_table(rows, style, columns=_columns(options), arrow=arrow)


def _find(
    options: argparse.Namespace, folders: Sequence[str], read: Read | None = None
) -> list[RunFacts]:
    """The runs that are asked for. Raises SpecError for a folder that cannot be read, and for a
    condition that is wrong."""
    from ..checkpoint.run_folder import RUNS
    from ..runs.find_runs import TooManyFolders, find_runs
    from ..runs.named_runs import run_folder
    from ..runs.run_facts import facts_of, walk_runs
    from ..runs.run_filter import Condition

    if not folders and not os.path.isdir(RUNS):
        return []
    found: list[RunFacts] = []
    for text in folders or [RUNS]:
        folder = run_folder(text)
        try:
            runs = find_runs(folder, read or facts_of)
        except OSError as error:
            raise CommandError(f"{text} cannot be read: {error.strerror}") from None
        except TooManyFolders as error:
            raise CommandError(f"{text}: {error}; name a folder inside it") from None
        # Who names an ensemble or a sweep wants to see what is in it.
        alone = len(runs) == 1 and runs[0].folder == folder
        found += walk_runs(runs) if options.members or alone else runs
    unique = list({run.folder.absolute(): run for run in found}.values())
    return Condition(options.where).matching(unique) if options.where is not None else unique


def _rows(options: argparse.Namespace, runs: Sequence[RunFacts]) -> list[Row]:
    from ..runs.run_rows import rows_of

    names = [*([options.sort] if options.sort else []), *_columns(options)]
    _must_be_known(names, runs)
    return rows_of(runs, sort=options.sort or "", reverse=options.reverse, by_seed=options.seeds)


def _columns(options: argparse.Namespace) -> list[str]:
    return [name.strip() for name in (options.columns or "").split(",") if name.strip()]


def _must_be_known(names: Sequence[str], runs: Sequence[RunFacts]) -> None:
    """Raises SpecError for a name that no run has a value of."""
    from ..runs.run_filter import unknown_name
    from ..runs.run_values import FACTS, SYNONYMS, Values, is_metric_name

    new = [name for name in names if name not in FACTS and name not in SYNONYMS]
    if not new or not runs:
        return
    known = set().union(*(Values(run).names() for run in runs))
    for name in new:
        if name not in known and not is_metric_name(name):
            raise SpecError([unknown_name(name, known)])


# ---- watching --------------------------------------------------------------------------------


def _watch(options: argparse.Namespace, folders: Sequence[str]) -> int:
    from ..runs.run_watch import Changes, Remembered, any_running, fitting

    read, every = Remembered(), options.every or _EVERY
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        changes = Changes()
        while True:
            runs = _find(options, folders, read)
            for line in changes.lines(runs):
                print(line, flush=True)
            if options.until_done and not any_running(runs):
                return OK
            time.sleep(every)

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            runs = _find(options, folders, read)
            rows = _rows(options, runs)
            text = _table(options, rows, style(options)) if rows else _none(folders)
            shown = fitting(text.splitlines(), console.height - 1)
            live.update(Text.from_ansi("\n".join(shown), no_wrap=True), refresh=True)
            if options.until_done and not any_running(runs):
                return OK
            time.sleep(every)


# ---- tags and notes --------------------------------------------------------------------------


def _annotate(options: argparse.Namespace, action: str, words: Sequence[str]) -> int:
    from ..runs.tags_and_note import NotATag, note, read_notes, tag, write_notes

    runs, rest = _named(options, action, words)
    if action == "note" and not rest:
        for each in runs:
            print(f"{each.name}: {read_notes(each.folder).note or '(no note)'}")
        return OK
    try:
        if action == "note":
            text = note(" ".join(rest))
            change = _noted(text)
        else:
            tags = [tag(each) for each in rest]
            if action == "tag" and not tags:
                raise UsageError("which tag? `cnn runs tag RUN TAG`")
            change = _tagged(tags) if action == "tag" else _untagged(tags)
    except NotATag as error:
        raise UsageError(str(error)) from None
    code = OK
    for each in runs:
        try:
            write_notes(each.folder, change(read_notes(each.folder)))
        except OSError as error:
            say(f"cnn: {each.name} cannot be written to: {error.strerror}")
            code = ERRORS
            continue
        now = read_notes(each.folder)
        about = now.note if action == "note" else " ".join(now.tags)
        print(f"{each.name}: {about or ('no note' if action == 'note' else 'no tags')}")
    return code


def _noted(text: str) -> Callable[[TagsAndNote], TagsAndNote]:
    return lambda notes: notes._replace(note=text)


def _tagged(tags: Sequence[str]) -> Callable[[TagsAndNote], TagsAndNote]:
    return lambda notes: notes.tagged(tags)


def _untagged(tags: Sequence[str]) -> Callable[[TagsAndNote], TagsAndNote]:
    """Without these tags; without any if none is named."""
    return lambda notes: notes.untagged(tags or notes.tags)


def _named(
    options: argparse.Namespace, action: str, words: Sequence[str]
) -> tuple[list[RunFacts], Sequence[str]]:
    """The runs that are meant, and the words after them."""
    from ..runs.find_runs import read_run
    from ..runs.named_runs import find_named, run_folder
    from ..runs.run_facts import is_run_folder

    if options.where is not None:
        return _find(options, ()), words
    if not words:
        raise UsageError(f"which run? name one, or choose with --where: `cnn runs {action} RUN`")
    try:
        folder = run_folder(words[0])
    except SpecError:
        others = [word for word in words[1:] if find_named(word)]
        if action != "note" and others:
            order = " ".join([*others[:1], words[0]])
            raise UsageError(
                f"{words[0]} is not a run; the run comes first: `cnn runs {action} {order}`"
            ) from None
        raise
    if not is_run_folder(folder):
        raise CommandError(f"{words[0]} is not a run folder")
    return [read_run(folder)], words[1:]


# ---- removing --------------------------------------------------------------------------------


def _remove(options: argparse.Namespace, words: Sequence[str]) -> int:
    from ...compiler.report.figures import data_size, plural
    from ..checkpoint.run_folder import shown
    from ..runs.named_runs import run_folder
    from ..runs.remove_runs import removal, remove

    if bool(words) == (options.where is not None):
        raise UsageError("name the runs to remove, or choose them with --where (not both)")
    if words:
        folders = list({folder.absolute(): folder for folder in map(run_folder, words)}.values())
    else:
        folders = [run.folder for run in _find(options, ())]
    if not folders:
        say("cnn: no run fulfils the condition; nothing was removed")
        return OK
    found: list[Removal] = []
    diagnostics: list[Diagnostic] = []
    for folder in folders:
        try:
            found.append(removal(folder, keep_best=options.keep_best))
        except SpecError as error:
            diagnostics += error.diagnostics
    if diagnostics:
        print_diagnostics(diagnostics, options)
        say("cnn: nothing was removed")
        return ERRORS
    total = sum(each.size for each in found)
    for each in found:
        what = "" if each.whole else " (only what it is resumed from)"
        print(f"{shown(each.run.folder)}: {_described(each.run)}, {data_size(each.size)}{what}")
    count = plural(len(found), "run")
    what = f"{count}, {data_size(total)}" if not options.keep_best else data_size(total)
    if not options.yes and not _confirmed(f"remove {what}? [y/N] "):
        say("nothing was removed")
        return ERRORS
    try:
        remove(found)
    except OSError as error:
        raise CommandError(
            f"{error.filename or 'a file'} cannot be removed: {error.strerror}"
        ) from None
    print(f"removed {what}")
    return OK


def _described(run: RunFacts) -> str:
    from ..runs.run_table import shown_best

    state = f"{run.kind}, {run.state}" if run.members else run.state
    return ", ".join(filter(None, [state, shown_best(run), *run.tags]))


def _confirmed(question: str) -> bool:
    """Asks on a terminal; raises UsageError without one."""
    if not sys.stdin.isatty():
        raise UsageError("nothing was removed: there is no terminal to ask on; add --yes")
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
