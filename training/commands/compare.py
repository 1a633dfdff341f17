"""`cnn compare`: which run is better, by how much, and how sure that is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...compiler.commands.output_file import writing
from ...compiler.commands.terminal import OK, CommandError, UsageError, say, style
from ...dsl.printable import show
from .common import add_device, print_json, progress_display

if TYPE_CHECKING:
    from ..answers.kept_answers import KeptAnswers
    from ..comparing.differences import Differences
    from ..comparing.run_comparison import Comparison
    from ..runs.run_facts import RunFacts

EXAMPLES = """\
cnn compare runs/net runs/net-2
cnn compare runs/wide* runs/narrow* -o compare.html
cnn compare runs/a runs/b --part test --metric loss --format json"""

DETAILS = """\
Runs are compared with the first. Two runs are compared image by image (McNemar's test for classes,
paired tests for numbers, masks and images), which needs the same images in both. Runs that differ
only in their seed are one line, and are compared by the results of their seeds (Welch's test). With
several comparisons, probabilities are corrected for their number (Holm).

Each run keeps what it answers to its images, in answers-val.npz and answers-test.npz. A run that
does not is evaluated, if its data is there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="run folders, or folders with runs in them; all are compared with the first",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PAGE",
        help="write a page: curves over each other, results, differences, images that only one has"
        " right",
    )
    parser.add_argument(
        "--part",
        choices=["val", "test"],
        default="val",
        help="which images: the validation set (val) or the test set (default: val)",
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="the metric to compare by (default: that which selects the best epoch)",
    )
    parser.add_argument(
        "--each-seed",
        action="store_true",
        help="a line for every run, also for those that differ only in their seed",
    )
    parser.add_argument(
        "--no-evaluate",
        action="store_true",
        help="do not evaluate runs that keep no answers",
    )
    add_device(parser)
    parser.add_argument(
        "--format",
        choices=["table", "json", "csv"],
        default="table",
        help="table for people, json or csv for programs (default: table)",
    )


def run(options: argparse.Namespace) -> int:
    from ..comparing.contender import MOST, contenders_of
    from ..comparing.differences import Differences
    from ..comparing.run_comparison import CannotCompare, compared

    runs = _runs(options.runs)
    if len(runs) < 2:
        raise UsageError(f"two runs or more are compared; {options.runs[0]} is one")
    evaluate = _Evaluation(options)
    try:
        contenders = contenders_of(runs, options.part, evaluate, grouped=not options.each_seed)
        if len(contenders) > MOST:
            raise UsageError(
                f"{len(contenders)} runs are too many to compare, at most {MOST} at once;"
                " `cnn runs` lists and filters them"
            )
        comparison = compared(contenders, options.part, options.metric)
    except CannotCompare as error:
        raise CommandError(str(error)) from None
    if not comparison.decisive:
        what = "a test set that was measured" if options.part == "test" else "results"
        raise CommandError(f"none of these runs has {what}")
    differences = Differences(comparison.contenders)
    if options.output:  # before the text, which may be piped into `head`
        _write_page(options, comparison, differences)
    if options.format == "json":
        from ..comparing.comparison_json import comparison_json

        print_json(comparison_json(comparison, differences))
    elif options.format == "csv":
        from ..comparing.comparison_csv import comparison_csv

        print(comparison_csv(comparison, differences), end="")
    else:
        from ..comparing.comparison_text import comparison_text

        print(comparison_text(comparison, differences, style(options)))
    return OK


def _write_page(
    options: argparse.Namespace, comparison: Comparison, differences: Differences
) -> None:
    from importlib.util import find_spec

    from ...dsl.atomic_file import written
    from ..comparing.comparison_page import comparison_page

    pictures = None
    if find_spec("torch") is not None and any(each.complete for each in comparison.contenders):
        from ..comparing.thumbnails import thumbnails_of

        with progress_display(options) as callback:
            run = comparison.first.run
            pictures = thumbnails_of(run, options.part, callback.reading, say)
    text = comparison_page(comparison, differences, pictures)
    with writing(options.output), written(options.output) as file:
        file.write_text(text, encoding="utf-8", newline="\n")
    say(f"wrote {options.output}")


def _runs(names: list[str]) -> list[RunFacts]:
    """The runs that are named, and those in folders that are named; each once."""
    from ..runs.find_runs import TooManyFolders, find_runs
    from ..runs.run_facts import DAMAGED

    found: dict[Path, RunFacts] = {}
    for name in names:
        folder = Path(name)
        if not folder.is_dir():
            what = "is a file, not a run folder" if folder.exists() else "does not exist"
            raise UsageError(f"{name} {what}; name folders that `cnn train` created")
        try:
            inside = find_runs(folder)
        except TooManyFolders as error:
            raise UsageError(f"{name}: {error}") from None
        except OSError as error:
            raise CommandError(f"cannot read {name}: {error.strerror}") from None
        runs = [
            run for each in inside for run in (_trials(each) if each.kind == "sweep" else [each])
        ]
        if not runs:
            raise UsageError(f"{name} is not a run folder, and there are no runs in it")
        for run in runs:
            if run.state == DAMAGED:
                if run.folder == folder:
                    raise CommandError(show(f"{run.folder} cannot be compared: {run.trouble}"))
                say(show(f"{run.folder} is left out, as it cannot be read: {run.trouble}"))
                continue
            found.setdefault(run.folder.resolve(), run)
    return list(found.values())


def _trials(sweep: RunFacts) -> Sequence[RunFacts]:
    """The trials of a sweep; of many, the best, beside the spec as written."""
    from ..comparing.contender import MOST
    from ..sweep.sweep_facts import read_sweep

    if len(sweep.members) <= MOST:
        return sweep.members
    facts = read_sweep(sweep.folder)
    front = facts.front if len(facts.objectives) > 1 else ()
    ranked = dict.fromkeys(trial.folder.name for trial in (*front, *facts.complete))
    best = {"0", *[name for name in ranked if name != "0"][: MOST - 1]}
    say(show(f"of the {len(sweep.members)} trials of {sweep.folder}, the {len(best) - 1} best are"
             " compared with the spec as written"))  # fmt: skip
    return [run for run in sweep.members if run.folder.name in best]


class _Evaluation:
    """Evaluates runs that keep no answers, and says so."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def __call__(self, run: RunFacts, part: str) -> KeptAnswers | None:
        from importlib.util import find_spec

        from ..checkpoint.run_folder import BEST, shown
        from ..comparing.contender import why_not_kept

        if part == "test" and not run.test:
            say(show(f"{shown(run.folder)} has no results on a test set"))
            return None
        why = show(f"{shown(run.folder)} {why_not_kept(run, part)}")
        if self.options.no_evaluate or run.state == "running":
            say(f"{why}: it is compared without its images")
            return None
        if not (run.folder / BEST).exists() and not run.members:
            say(f"{why}, and has no weights yet: it is compared without its images")
            return None
        if find_spec("torch") is None:
            say(f"{why}, and torch is not installed: it is compared without its images")
            return None
        from ..comparing.evaluate_missing import evaluated

        say(f"{why}: it is evaluated")
        with progress_display(self.options) as callback:
            return evaluated(run, part, self.options.device, callback.reading, say)
