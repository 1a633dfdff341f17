"""The page of `cnn probe`: the plot of accuracies, and one image filmed through all strengths."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ....compiler.ops.worked import figure
from ...page.document import document
from ...page.markup import Html, element, joined, section, table
from ...page.picture import tag, viewable
from ...tasks.probabilities import probabilities_of
from ..subject import Subject
from .probe import Kind, Probe, images_of, pixel_sizes, scores, unit_of


def probe_page(
    kind: Kind,
    probes: Sequence[Probe],
    subjects: Sequence[Subject],
    images: Sequence[Tensor],
    label: str,
    svg: str,
) -> str:
    """HTML; `images` is one validation image as each network sees it, uint8."""
    title = f"Probe: {kind.name}"
    size, pixels = pixel_sizes(kind, subjects)
    head = [kind.unit, *(each.name for each in probes)]
    rows = [
        [figure(strength), *(f"{100 * each.accuracies[n]:.1f} %" for each in probes)]
        for n, strength in enumerate(probes[0].strengths)
    ]
    shown = section("accuracy", "Accuracy by strength", Html(svg), table(title, head, rows))
    film = section(
        "film",
        f"One image ({label}), and what each network says",
        *(
            _film(kind, each.strengths, subject, image, pixel)
            for each, subject, image, pixel in zip(probes, subjects, images, pixels, strict=True)
        ),
    )
    subtitle = f"{images_of(probes)}; {kind.name}: {unit_of(kind, size)}"
    foot = "Written by dotcnn. This page is self-contained: it loads nothing from the internet."
    return document(title, subtitle, [shown, film], foot)


def _film(
    kind: Kind, strengths: Sequence[float], subject: Subject, image: Tensor, pixel: float
) -> Html:
    frames = []
    for strength in strengths:
        changed = kind(image[None].to(subject.device), strength * pixel)
        answer = probabilities_of(scores(subject, changed), subject.multi_label)[0]
        best = int(answer.argmax())
        name = subject.class_name(best)
        caption = element(
            "figcaption",
            element("strong", name),
            f" {100 * float(answer[best]):.0f} %",
            element("br"),
            f"{kind.name} {figure(strength)}",
        )
        picture = tag(viewable(changed[0].cpu()), f"{kind.name} {figure(strength)}: {name}")
        frames.append(element("li", element("figure", picture, caption)))
    film = element("ul", joined(frames), class_="gallery")
    return joined([element("h3", subject.name), film])
