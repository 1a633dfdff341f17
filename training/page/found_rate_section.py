"""The report's curve of `--find-lr`: the loss by learning rate, and which rate was taken."""

from __future__ import annotations

from ..display.rate_chart import rate_plot
from .contents import Contents
from .markup import Html, details, element, scrolling, section, table


def found_rate(contents: Contents) -> Html | None:
    found = contents.found_rate
    if found is None or len(found.rates) < 2:
        return None
    line = found.line[0].upper() + found.line[1:]
    how = (
        f"A range test of {len(found.rates)} steps before training, from the same starting weights."
        " The dashed line is the rate that was taken; losses above the frame are left out."
    )
    rows = zip(found.rates, found.losses, found.smoothed, strict=True)
    return section(
        "rate",
        "Learning rate found",
        element("p", f"{line}."),
        scrolling("Loss by learning rate", Html(rate_plot(found))),
        element("p", how, class_="faint"),
        details(
            "All steps as a table",
            table(
                "All steps",
                ["learning rate", "loss", "smoothed"],
                [[f"{rate:.3g}", f"{loss:.4g}", f"{mean:.4g}"] for rate, loss, mean in rows],
            ),
        ),
    )
