"""What differs between runs, and which differ only in their seed."""

from __future__ import annotations

from pathlib import Path

from dotcnn.training.runs.find_runs import find_runs, read_run
from dotcnn.training.runs.run_differences import main_changes, run_changes
from dotcnn.training.runs.run_table import changes_text
from dotcnn.training.runs.seed_groups import seed_groups

from .conftest import SPEC, Made, with_rate, with_seed


def differ(before: Path, now: Path) -> list[tuple[str, str, str]]:
    return [tuple(each) for each in run_changes(read_run(before), read_run(now))]


def test_values_of_the_plan(made: Made) -> None:
    assert differ(made("one"), made("two", plan=with_rate(0.1))) == [
        ("train.optimizer.lr", "0.005", "0.1")
    ]


def test_the_spec_counts_by_its_structure(made: Made) -> None:
    one = made("one")
    same = SPEC.replace("  conv", "  # a comment\n\n    conv").replace("bn, relu", "bn\n  relu")
    assert differ(one, made("same", spec=same)) == []
    other = SPEC.replace("width=4", "width=8").replace("3x3", "5x5")
    assert differ(one, made("other", spec=other)) == [
        ("width", "4", "8"),
        ("network", "conv width 3x3 stride=2 same", "conv width 5x5 stride=2 same"),
    ]
    more = SPEC.replace("  flatten", "  pool max 2x2\n  flatten")
    assert differ(one, made("more", spec=more)) == [("network", "", "pool max 2x2")]


def test_parameters_that_a_run_was_started_with(made: Made) -> None:
    given = {"network": None, "input": None, "classes": 10, "set": ["width=16", "train.epochs=2"]}
    assert differ(made("one"), made("two", made_with=given)) == [("width", "4", "16")]


def test_what_follows_is_not_shown(made: Made) -> None:
    def decays(plan: dict[str, object]) -> None:
        with_rate(0.1)(plan)
        plan["train"]["optimizer"]["weight_decay"] = 0.5  # type: ignore[index]

    one, two = read_run(made("one")), read_run(made("two", plan=decays))
    found = run_changes(one, two)
    assert [each.name for each in found] == ["train.optimizer.lr", "train.optimizer.weight_decay"]
    assert changes_text(main_changes(one, two, found)) == "lr=0.005→0.1"


def test_nothing_is_known_of_a_broken_run(made: Made) -> None:
    broken = made("broken", plan=lambda plan: plan.clear(), spec="network {")
    ((name, before, now),) = differ(made("one"), broken)
    assert name == "network"
    assert now == f"{before} (its spec cannot be read)"


def test_seeds(made: Made) -> None:
    made("a")
    made("b", plan=with_seed(1), seed=1)
    made("c", plan=with_rate(0.1))
    made("d", plan=with_seed(2), seed=2)
    groups = seed_groups(find_runs(Path("runs")))
    assert [[run.name for run in group] for group in groups] == [["a", "b", "d"], ["c"]]


def test_a_seed_counts_once(made: Made) -> None:
    """A run that repeats another seems to make a result surer, and does not."""
    made("a")
    made("b", plan=with_seed(1), seed=1)
    made("again")
    groups = seed_groups(find_runs(Path("runs")))
    assert sorted([run.name for run in group] for group in groups) == [["a", "b"], ["again"]]
