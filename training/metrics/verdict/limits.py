"""The thresholds of all rules of the verdict."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """The thresholds of all rules. Accuracies are shares from 0 to 1."""

    sigmas: float = 3.0
    """Differences of accuracies count from this many standard errors on."""
    epochs: int = 3
    """With fewer epochs, nothing is said of a trend."""
    steps: int = 30
    """With fewer steps, nothing is said of a network that has not learned."""

    guessing_loss: float = 0.98
    """A loss of at least this times that of guessing is guessing."""
    guessing_top1: float = 0.02
    """Up to this much above guessing, an accuracy is guessing."""
    guessing_r2: float = 0.05
    """Up to this R2, numbers are guessed, …"""
    guessing_numbers_fall: float = 0.8
    """… if the training loss never falls to this times that of the first epoch."""
    guessing_jump: float = 1.1
    """If the training loss rises by this factor after the second epoch, steps are too large."""

    rise_loss: float = 1.25
    """The training loss rises if it ends at this many times its minimum or more, …"""
    rise_top1: float = 0.03
    """… and training accuracy has fallen by this much."""

    undecided: float = 0.05
    """The share of validation images without any answer, from which on it is said."""

    worse: float = 0.03
    """Training has made the network worse from this loss of accuracy on."""

    slow_rate: float = 0.05
    """A learning rate of at most this times the usual one of the optimizer can be too small."""
    slow_fall: float = 0.3
    """It is, if the training loss falls by at most this share in the whole run, …"""
    slow_steady: float = 0.5
    """… and in the second half of the run at least by this times as much as in the first."""

    memorized: float = 0.99
    """From this training accuracy on, the network has memorized the training images."""
    overfit_top1: float = 0.9
    """Overfitting begins with this training accuracy, …"""
    overfit_gap: float = 0.08
    """… and a validation accuracy that is lower by this, …"""
    memorized_gap: float = 0.05
    """… or by this, if the network has memorized the training images."""
    overfit_early: float = 0.7
    """Already from this training accuracy on, it overfits, …"""
    overfit_early_gap: float = 0.15
    """… if that of validation is lower by this."""
    overfit_rise: float = 1.2
    """It also shows in a validation loss of at least this many times its minimum, …"""
    overfit_fall: float = 0.8
    """… while the training loss has fallen to at most this times what it was then, …"""
    overfit_loss: float = 0.1
    """… and the validation loss is at least this times that of guessing."""

    improving_fall: float = 0.02
    """The network still improves if the validation loss falls by this share in each epoch of the
    last third, …"""
    improving_top1: float = 0.01
    """… its accuracy rises by this in it, …"""
    improving_gap: float = 0.05
    """… and training accuracy is at most this much higher than that of validation."""

    underfit_top1: float = 0.8
    """Underfitting: training and validation accuracy are below this, …"""
    underfit_gap: float = 0.05
    """… differ by at most this, …"""
    underfit_fall: float = 0.01
    """… and the training loss falls by less than this share in each epoch of the last third."""

    uncertain: float = 0.07
    """Validation images are too few if the accuracy is uncertain by this, to either side."""
    uncertain_deviations: float = 1.96
    """Standard errors of that: 95 % confidence."""

    well_top1: float = 0.9
    """All is well with a validation accuracy of at least this, …"""
    well_gap: float = 0.03
    """… and a training accuracy that is at most this much higher."""
    better_psnr: float = 0.1
    """Images: a PSNR of up to this much more than that of the input, in dB, restores nothing."""
    well_psnr: float = 2.0
    """Images: all is well with this much more than the input has, …"""
    well_r2: float = 0.9
    """Numbers: all is well with an R2 of at least this on the validation set, …"""
    well_loss: float = 1.3
    """… whose loss is at most this times that of training."""


LIMITS = Limits()
