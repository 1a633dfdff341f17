"""Intervals and tests against figures worked by hand, published ones, and those of scipy."""

from __future__ import annotations

from itertools import product
from math import isnan, nan, sqrt

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.training.significance.distributions import (
    chi_square_tail,
    coins_both_tails,
    student_both_tails,
    student_quantile,
    z_of,
)
from dotcnn.training.significance.intervals import of_mean, of_paired_shares, wilson
from dotcnn.training.significance.resampling import (
    bootstrap_test,
    of_images,
    of_means,
    percentiles,
    resamples,
)
from dotcnn.training.significance.several_tests import holm
from dotcnn.training.significance.tests_of_two import mcnemar, paired_t, welch

MAIZE = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
"""Darwin's pairs of plants, crossed less self-fertilized, in eighths of an inch, which Fisher's
"Design of Experiments" (1935) and scipy's documentation test."""

# Examples of Welch's test in Wikipedia.
EQUAL_1 = [
    27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4,
]  # fmt: skip
EQUAL_2 = [
    27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4,
]  # fmt: skip


# ---- distributions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [
        (1.0, 1.0, 0.5),  # Cauchy's distribution: a quarter is above 1
        (sqrt(2), 2.0, 1 - 1 / sqrt(2)),  # by its formula: 1 - t / sqrt(t² + 2)
        (0.0, 7.0, 1.0),
        (2.131449545559776, 15.0, 0.05),  # tables
        (12.706204736174698, 1.0, 0.05),
        (6.0, 0.5, 0.2613093774699),  # scipy
        (40.0, 25.0, 3.469980277759158e-24),
    ],
)
def test_students_distribution(t: float, freedom: float, p: float) -> None:
    assert student_both_tails(t, freedom) == pytest.approx(p, rel=1e-4, abs=0)
    assert student_both_tails(-t, freedom) == pytest.approx(p, rel=1e-4)


@given(st.floats(0.51, 0.999), st.floats(0.8, 500))
def test_a_quantile_of_student_goes_back(share: float, freedom: float) -> None:
    t = student_quantile(share, freedom)
    assert 1 - student_both_tails(t, freedom) / 2 == pytest.approx(share, abs=1e-9)


def test_many_degrees_of_freedom_are_normal() -> None:
    assert student_quantile(0.975, 1e7) == pytest.approx(z_of(), rel=1e-6)


@pytest.mark.parametrize("coins", range(1, 9))
def test_coins_as_all_their_throws(coins: int) -> None:
    throws = [sum(throw) for throw in product((0, 1), repeat=coins)]
    for heads in range(coins + 1):
        uneven = sum(abs(2 * other - coins) >= abs(2 * heads - coins) for other in throws)
        assert coins_both_tails(heads, coins - heads) == pytest.approx(uneven / len(throws))


def test_no_coins_are_even() -> None:
    assert coins_both_tails(0, 0) == 1


def test_chi_square_by_tables() -> None:
    assert chi_square_tail(3.841458820694124) == pytest.approx(0.05)
    assert chi_square_tail(0.0) == 1


# ---- intervals ---------------------------------------------------------------------------------


def test_wilson_as_scipy_has_it() -> None:
    """binomtest(50, 314).proportion_ci(method="wilson")"""
    assert wilson(50 / 314, 314) == pytest.approx((0.12291850862548559, 0.20378984215412388))


def test_wilson_by_hand() -> None:
    """Of one image, with one deviation: the center is (1 + 1/2) / 2, the half-width 1/4."""
    assert wilson(1.0, 1, 1.0) == pytest.approx((0.5, 1.0))


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_share(images: int, data: st.DataObject) -> None:
    share = data.draw(st.integers(0, images)) / images
    low, high = wilson(share, images, 2.0)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_the_interval_of_a_mean() -> None:
    """1, 2, 3: the deviation is 1, and t of two degrees of freedom 4.3027."""
    assert of_mean([1, 2, 3]) == pytest.approx((2 - 4.3027 / sqrt(3), 2 + 4.3027 / sqrt(3)), 1e-4)
    assert of_mean([1]) is None


def test_the_interval_of_paired_shares_by_hand() -> None:
    """3 and 12 of 98: the center is 9/100, the variance (16 - 81/100) / 100²."""
    half = z_of() * sqrt(16 - 0.81) / 100
    assert of_paired_shares(3, 12, 98) == pytest.approx((0.09 - half, 0.09 + half))


def test_networks_that_agree_are_not_certainly_the_same() -> None:
    low, high = of_paired_shares(0, 0, 20)
    assert low < 0 < high


# ---- two results -------------------------------------------------------------------------------


def test_mcnemar_of_few_disagreements() -> None:
    """3 and 12: 2 * (1 + 15 + 105 + 455) / 2**15."""
    test = mcnemar(3, 12, 100)
    assert test.p == pytest.approx(2 * 576 / 2**15)
    assert test.difference == pytest.approx(0.09)
    assert test.counts == (3, 12)
    assert "exact" in test.name


def test_mcnemar_of_a_published_table() -> None:
    """The example of statsmodels: [[101, 121], [59, 33]]."""
    assert mcnemar(121, 59, 314).p == pytest.approx(4.434449263755176e-06)


def test_mcnemar_of_many_disagreements() -> None:
    """Chi-square is 619² / 1800."""
    test = mcnemar(1210, 590, 3140)
    assert test.p == pytest.approx(3.2534106280935e-48)
    assert "exact" not in test.name


def test_networks_that_agree_do_not_differ() -> None:
    assert mcnemar(0, 0, 10).p == 1


def test_the_exact_test_and_chi_square_meet() -> None:
    assert mcnemar(460, 540, 5000).p == pytest.approx(mcnemar(460, 541, 5000).p, rel=0.1)


def test_the_paired_t_test_of_darwins_plants() -> None:
    test = paired_t(MAIZE)
    assert test.difference == pytest.approx(20.933333)
    assert test.p == pytest.approx(0.049702944)
    assert test.interval == pytest.approx((0.03119331839297601, 41.835473348273695))


def test_paired_differences_without_any_spread() -> None:
    assert paired_t([0.0] * 5).p == 1
    assert paired_t([2.0] * 5).p == 0
    assert isnan(paired_t([2.0]).p)


def test_welch_of_a_published_example() -> None:
    test = welch(EQUAL_1, EQUAL_2)
    assert test.p == pytest.approx(0.021378001)
    assert test.interval == pytest.approx((0.3492370661924069, 3.984096267140929))


def test_one_run_against_several() -> None:
    """1, 2, 3 against 4: t is 2 / sqrt(1 + 1/3), with two degrees of freedom."""
    test = welch([1.0, 2.0, 3.0], [4.0])
    assert test.difference == 2
    assert test.p == pytest.approx(student_both_tails(2 / sqrt(4 / 3), 2))
    assert welch([4.0], [1.0, 2.0, 3.0]).difference == -2


def test_one_run_against_one_says_nothing_about_seeds() -> None:
    test = welch([1.0], [2.0])
    assert isnan(test.p)
    assert test.interval is None


def test_seeds_that_give_the_same() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]).p == 1
    assert isnan(welch([1.0, 1.0], [2.0, 2.0]).p)


# ---- several tests -----------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2]) == [0.2]
    assert holm([0.9, 0.8]) == [1, 1]


def test_tests_that_were_not_made_do_not_count() -> None:
    adjusted = holm([nan, 0.02, nan])
    assert adjusted[1] == 0.02
    assert isnan(adjusted[0])


# ---- the bootstrap -----------------------------------------------------------------------------


def test_the_bootstrap_agrees_with_the_t_test() -> None:
    values = numpy.random.default_rng(5).normal(0.15, 1.0, 400)
    times = resamples(len(values))
    resampled = of_means(values[:, None], lambda means: means[:, 0], times)
    test, exact = (
        bootstrap_test(float(values.mean()), resampled, len(values)),
        paired_t(list(values)),
    )
    assert test.p == pytest.approx(exact.p, rel=0.35)
    assert exact.interval is not None
    assert test.interval == pytest.approx(exact.interval, abs=0.02)


def test_the_bootstrap_says_the_same_twice() -> None:
    values = numpy.arange(30.0)[:, None]
    once, twice = (of_means(values, lambda means: means[:, 0], 400) for _ in range(2))
    assert (once == twice).all()


def test_the_bootstrap_of_a_value_of_images() -> None:
    values = numpy.arange(20.0)
    each = of_images(20, lambda drawn: float(values[drawn].max()), 400)
    assert len(each) == 400
    interval = percentiles(each)
    assert interval is not None
    assert interval.high == 19


def test_the_bootstrap_of_what_is_the_same() -> None:
    assert bootstrap_test(0.0, numpy.zeros(500), 10).p == 1


def test_the_bootstrap_of_what_is_not_known() -> None:
    assert percentiles(numpy.array([nan, nan])) is None
