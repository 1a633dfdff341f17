"""Probabilities of the distributions that tests need, from the standard library alone."""

from __future__ import annotations

from math import comb, erfc, exp, inf, lgamma, log, log1p, sqrt
from statistics import NormalDist

LEVEL = 0.95
"""The confidence of intervals."""

_TINY = 1e-300
_MOST_STEPS = 10_000


def normal_quantile(share: float) -> float:
    """The number of standard deviations below which a share of a normal distribution lies."""
    return NormalDist().inv_cdf(share)


def z_of(level: float = LEVEL) -> float:
    """The half-width of a two-sided interval, in standard deviations: 1.96 for 95 %."""
    return normal_quantile((1 + level) / 2)


def normal_both_tails(z: float) -> float:
    """The probability of being at least |z| deviations from the mean."""
    return erfc(abs(z) / sqrt(2))


def chi_square_tail(statistic: float) -> float:
    """The probability of at least this chi-square, with one degree of freedom."""
    return erfc(sqrt(max(0.0, statistic) / 2))


def coins_both_tails(heads: int, tails: int) -> float:
    """The probability that so many fair coins fall at least as unevenly. Exact."""
    coins, fewer = heads + tails, min(heads, tails)
    ways = sum(comb(coins, number) for number in range(fewer + 1))
    return float(min(1.0, 2 * ways / 2**coins))


def student_both_tails(t: float, freedom: float) -> float:
    """The probability of at least |t| by Student's distribution."""
    if t in (inf, -inf):
        return 0.0
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def student_quantile(share: float, freedom: float) -> float:
    """The t below which a share (above one half) of Student's distribution lies."""
    low, high = 0.0, 1.0
    while 1 - student_both_tails(high, freedom) / 2 < share:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        below = 1 - student_both_tails(middle, freedom) / 2
        low, high = (middle, high) if below < share else (low, middle)
    return (low + high) / 2


def t_of(freedom: float, level: float = LEVEL) -> float:
    """The half-width of a two-sided interval, in standard errors, of a mean whose deviation is
    estimated."""
    return student_quantile((1 + level) / 2, freedom)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by its continued fraction."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):  # where it converges fast
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's evaluation of the continued fraction of the incomplete beta function."""

    def kept(value: float) -> float:
        return value if abs(value) > _TINY else _TINY

    c, d = 1.0, 1 / kept(1 - (a + b) * x / (a + 1))
    result = d
    for step in range(1, _MOST_STEPS):
        for term in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            d = 1 / kept(1 + term * d)
            c = kept(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return result
