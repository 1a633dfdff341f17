"""The verdict on a run: overfits, underfits, guesses, loss rises, still improving, and so on.

    for finding in verdict(facts): print(finding.text)

Each rule looks at the metrics of all epochs, and either says what it sees, with the figures, or
nothing. It speaks only where the figures leave no doubt: differences of accuracies have to be far
larger than chance explains for so many validation images. The thresholds are all in `LIMITS`.

Training metrics are measured while the weights change, with dropout and augmentation, so they are
worse than those of the final weights would be. Rules take that into account: what is said of a
training accuracy of 99 % holds all the more for the true one.
"""

from __future__ import annotations

from collections.abc import Callable

from ...data.diagnostic import in_nouns
from .certainty import few
from .facts import Facts, Finding
from .fitting import improves, overfits, overfits_in_loss, underfits, well
from .image_rules import well_images
from .learning import guesses, one_class, rises, too_slow, undecided, worse
from .mask_rules import never_found
from .number_rules import well_numbers

Rule = Callable[[Facts], Finding | None]

TROUBLE: tuple[Rule, ...] = (undecided, rises, guesses, worse, one_class, too_slow)
FIT: tuple[Rule, ...] = (
    overfits,
    overfits_in_loss,
    improves,
    underfits,
    well_numbers,
    well_images,
    well,
)
CERTAINTY: tuple[Rule, ...] = (few, never_found)


def verdict(facts: Facts) -> tuple[Finding, ...]:
    """At most two findings. What keeps a network from learning comes first, and alone; then how
    well it fits; then whether the validation set is large enough to tell."""
    found = [
        next(filter(None, (rule(facts) for rule in rules)), None)
        for rules in (TROUBLE, FIT, CERTAINTY)
    ]
    trouble, fit, certainty = (
        each and each._replace(text=in_nouns(each.text, facts.noun)) for each in found
    )
    if trouble is not None:
        return (trouble,)
    if certainty is not None and fit is not None and fit.rule == "well":
        fit = None
    return tuple(finding for finding in (fit, certainty) if finding is not None)
