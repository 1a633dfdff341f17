"""What the metrics of images show: restored, or no better than the input itself."""

from __future__ import annotations

from .against_guessing import against_guessing
from .facts import Facts, Finding, complete
from .fitting import similar_losses
from .limits import LIMITS


def no_better_than_input(facts: Facts) -> Finding | None:
    """In no epoch, answers are closer to their targets than the inputs are."""
    psnr, base = complete(facts.validated, "val", "psnr"), facts.input_psnr
    if not psnr or base is None or max(psnr) > base + LIMITS.better_psnr:
        return None
    return Finding(
        "no-better-than-input",
        f"PSNR is {max(psnr):.2f} dB, and that of the input itself {base:.2f} dB: the network"
        " restores nothing. Let it add to its input what is missing, `residual { … }` around the"
        f" layers, or train for longer. {against_guessing(facts)}.",
    )


def well_images(facts: Facts) -> Finding | None:
    """Answers are much closer to their targets than inputs are, also of new images."""
    psnr, base = complete(facts.validated, "val", "psnr"), facts.input_psnr
    if len(psnr) < 2 or base is None or psnr[-1] < base + LIMITS.well_psnr:
        return None
    losses = similar_losses(facts)
    if losses is None:
        return None
    return Finding(
        "well",
        f"PSNR is {psnr[-1]:.2f} dB on the validation set, {psnr[-1] - base:.2f} dB more than that"
        f" of the input itself, and {losses}: it has learned, and does not overfit.",
    )
