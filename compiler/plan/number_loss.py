"""Losses of networks that predict numbers: `loss huber delta=0.5`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..language.kinds import number
from .loss import Loss


class NumberLoss(Loss):
    """Base of the losses of numbers, which are standardized by the training set: with the mean 0
    and the deviation 1."""

    tasks = ("regression",)
    outputs_of_each: ClassVar[int] = 1
    """How many outputs the network has for each number."""


class Mse(NumberLoss):
    """Mean squared error of numbers."""

    word = "loss mse"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss mse": "mseloss mean_squared_error meansquarederror l2loss mselossflat squared_error"
    }


class Mae(NumberLoss):
    """Mean absolute error of numbers, which outliers do not dominate."""

    word = "loss mae"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss mae": "l1loss mean_absolute_error meanabsoluteerror l1lossflat absolute_error"
    }


class Huber(NumberLoss):
    """Squared error of small deviations, absolute error of large ones (Huber, 1964)."""

    word = "loss huber"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss huber": "huberloss huber_loss smoothl1loss smooth_l1 smooth_l1_loss"
    }

    delta: float = number(
        "the error from which on it is absolute, in standard deviations of the numbers", 1.0,
        minimum=0, above=True, elsewhere="beta",
    )  # fmt: skip


class GaussianNll(NumberLoss):
    """A mean and a variance for each number, by the likelihood of a normal distribution: the
    network has two outputs for each number.
    """

    word = "loss gaussian_nll"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss gaussian_nll": "gaussiannllloss gaussian_nll_loss heteroscedastic"
    }
    outputs_of_each = 2
