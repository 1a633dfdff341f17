"""Learning-rate schedules compared with torch's, step by step."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from dotcnn.compiler.plan.schedule import (
    Constant,
    Cosine,
    Linear,
    MultiStep,
    OneCycle,
    Plateau,
    Schedule,
    Step,
    Triangular,
)
from dotcnn.training.optim.schedules import Length, PlateauState, Rates

RATE = 0.1


def ours(schedule: Schedule, epochs: int, steps: int) -> list[float]:
    rates = Rates(schedule, RATE, Length(epochs, steps))
    return [rates.at(step) for step in range(epochs * steps)]


def theirs(make: object, count: int, every: int = 1) -> list[float]:
    """The rates of a scheduler of torch's that is asked after every so many steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = make(optimizer)  # type: ignore[operator]
    found = []
    for step in range(1, count + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % every == 0:
            scheduler.step()
    return found


EPOCHS = st.integers(2, 7)
STEPS = st.integers(1, 9)


@given(EPOCHS, STEPS, st.sampled_from([0.0, 1e-3]))
def test_cosine(epochs: int, steps: int, end: float) -> None:
    total = epochs * steps
    expected = theirs(lambda o: lr_scheduler.CosineAnnealingLR(o, total, eta_min=end), total)
    assert ours(Cosine(end=end, warmup=0.0), epochs, steps) == pytest.approx(expected)


@given(EPOCHS, STEPS)
def test_linear(epochs: int, steps: int) -> None:
    total = epochs * steps
    expected = theirs(lambda o: lr_scheduler.LinearLR(o, 1.0, 1e-9, total), total)
    assert ours(Linear(end=0.0, warmup=0.0), epochs, steps) == pytest.approx(expected, rel=1e-6)


@given(EPOCHS, st.integers(2, 9), st.sampled_from([0.23, 0.5]))
def test_triangular(epochs: int, steps: int, up: float) -> None:
    total = epochs * steps
    top = int(up * total)

    def factor(step: int) -> float:
        if step < top:
            return 0.2 + 0.8 * step / top
        done = (step - top) / (total - top)
        return (1 - done) + 0.07 * done

    expected = theirs(lambda o: lr_scheduler.LambdaLR(o, factor), total)
    schedule = Triangular(up=up, start=0.2, end=0.07, warmup=0.0)
    assert ours(schedule, epochs, steps) == pytest.approx(expected)


def test_part_of_an_epoch_has_part_of_the_steps() -> None:
    assert Length(9.9, 48).total == 476
    assert Length(2.5, 4).total == 10
    assert Length(3, 7).total == 21
    rates = Rates(Cosine(end=0.0, warmup=0.0), RATE, Length(2.5, 4))
    assert rates.at(9) == pytest.approx(RATE * (1 + math.cos(math.pi * 0.9)) / 2)


@given(EPOCHS, STEPS, st.integers(1, 4))
def test_step(epochs: int, steps: int, every: int) -> None:
    expected = theirs(lambda o: lr_scheduler.StepLR(o, every, 0.3), epochs * steps, every=steps)
    schedule = Step(every=every, factor=0.3, warmup=0.0)
    assert ours(schedule, epochs, steps) == pytest.approx(expected)


@given(EPOCHS, STEPS)
def test_multistep(epochs: int, steps: int) -> None:
    expected = theirs(
        lambda o: lr_scheduler.MultiStepLR(o, [2, 3], 0.5), epochs * steps, every=steps
    )
    schedule = MultiStep(at=(2, 3), factor=0.5, warmup=0.0)
    assert ours(schedule, epochs, steps) == pytest.approx(expected)


@given(EPOCHS, st.integers(3, 9), st.sampled_from([0.3, 0.5]))
def test_onecycle(epochs: int, steps: int, up: float) -> None:
    """What torch calls `div_factor` and `final_div_factor` is here a share of the rate, each."""
    total = epochs * steps

    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.OneCycleLR:
        return lr_scheduler.OneCycleLR(
            optimizer, RATE, total, pct_start=up, div_factor=25, final_div_factor=1e4,
            cycle_momentum=False,
        )  # fmt: skip

    schedule = OneCycle(up=up, start=0.04, end=4e-6, warmup=0.0)
    assert ours(schedule, epochs, steps) == pytest.approx(theirs(make, total))


def test_onecycle_of_one_step() -> None:
    """One epoch of one step: no division by zero, and a rate."""
    assert ours(OneCycle(up=0.3, start=0.04, end=4e-6, warmup=0.0), 1, 1) == [pytest.approx(RATE)]


@given(EPOCHS, st.integers(2, 9))
def test_warmup_before_any_schedule(epochs: int, steps: int) -> None:
    """It rises by equal amounts, from the first share on, to where the schedule then begins."""
    found = ours(Cosine(end=0.0, warmup=1.0), epochs, steps)
    assert found[:steps] == pytest.approx([RATE * (n + 1) / steps for n in range(steps)])
    left = (epochs - 1) * steps
    rest = theirs(lambda o: lr_scheduler.CosineAnnealingLR(o, left), left)
    assert found[steps:] == pytest.approx(rest)
    assert ours(Constant(warmup=1.0), epochs, steps)[steps:] == [RATE] * left


def test_part_of_an_epoch_may_be_a_warmup() -> None:
    found = ours(Constant(warmup=0.5), 2, 8)
    assert found == pytest.approx([RATE * share for share in (0.25, 0.5, 0.75)] + [RATE] * 13)


def test_plateau() -> None:
    """The rate falls after more than `patience` epochs without a better result, as torch has it."""
    results = [1.0, 0.9, 0.95, 0.95, 0.95, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    torchs = lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.1, patience=2, threshold=0.0, min_lr=5e-3
    )
    rates = Rates(
        Plateau(patience=2, factor=0.1, metric="loss", end=5e-3, warmup=0.0), RATE, Length(12, 1)
    )
    assert rates.plateau is not None
    fell = []
    for epoch, result in enumerate(results):
        torchs.step(result)
        fell.append(rates.plateau.epoch(result))
        assert rates.at(epoch) == pytest.approx(optimizer.param_groups[0]["lr"])
    assert [epoch for epoch, now in enumerate(fell) if now] == [4, 8, 11]


def test_plateau_is_resumed_from_its_state() -> None:
    schedule = Plateau(patience=1, factor=0.5, metric="top1", end=0.0, warmup=0.0)
    whole, first, second = (Rates(schedule, RATE, Length(9, 1)).plateau for _ in range(3))
    assert whole is not None
    assert first is not None
    assert second is not None
    results = [0.1, 0.2, 0.2, 0.2, 0.2, 0.2]
    for result in results:
        whole.epoch(result)
    for result in results[:3]:
        first.epoch(result)
    second.restore(first.state())
    for result in results[3:]:
        second.epoch(result)
    assert second.state() == whole.state()
    assert whole.factor < 1


SMOOTH = [
    Cosine(end=0.0, warmup=0.0), Linear(end=0.0, warmup=0.0), Constant(warmup=2.0),
    OneCycle(up=0.3, start=0.04, end=4e-6, warmup=0.0), Step(every=2, factor=0.1, warmup=1.0),
]  # fmt: skip


@given(st.sampled_from(SMOOTH), st.integers(1, 12), st.integers(1, 12))
def test_rates_are_never_negative_or_above_the_optimizers(
    schedule: Schedule, epochs: int, steps: int
) -> None:
    for rate in ours(schedule, epochs, steps):
        assert math.isfinite(rate)
        assert 0 <= rate <= RATE * (1 + 1e-9)


def test_a_run_that_goes_on_for_longer_needs_no_state() -> None:
    """The rate depends on where a run is, not on how it got there."""
    rates = Rates(Cosine(end=0.0, warmup=1.0), RATE, Length(5, 4))
    forwards = [rates.at(step) for step in range(20)]
    assert [rates.at(step) for step in reversed(range(20))] == forwards[::-1]
    assert all(a > b for a, b in itertools.pairwise(forwards[4:]))


def test_a_plateau_of_errors_is_where_they_no_longer_fall() -> None:
    """Lower is better for `mae`, as for `loss`."""
    state = PlateauState(Plateau.make(patience=1, metric="mae"))
    assert not any(state.epoch(value) for value in (9.0, 8.0, 7.0, 6.0))
    assert [state.epoch(value) for value in (6.5, 6.1)] == [False, True]
