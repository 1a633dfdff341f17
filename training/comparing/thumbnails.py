"""The images of a comparison as small pictures, if the data of its first run is there."""

from __future__ import annotations

from collections.abc import Callable

from ... import __version__
from ...dsl.diagnostics import SpecError
from ..answers.kept_answers import identities
from ..data.images.image_file import BadImage
from ..data.images.visible import shown_by
from ..data.loader.thread_pool import Progress
from ..data.opened import Opened
from ..inference.evaluate import data_of
from ..inference.trained_model import open_run
from ..page.markup import Html
from ..page.picture import tag, viewable
from ..runs.run_facts import RunFacts
from ..runtime.devices import find_device


class Thumbnails:
    """Finds images by their identity."""

    def __init__(self, data: Opened, part: str) -> None:
        self._data, self._part = data, part
        ids = identities(data.stores[part].source.keys())
        self._places = {identity: place for place, identity in enumerate(ids.tolist())}

    def picture(self, identity: int, alt: str) -> Html | None:
        """The image as the network sees it; None if it is not there any more."""
        place = self._places.get(identity)
        if place is None:
            return None
        try:
            with shown_by(self._data.plan):
                image = self._data.image(self._part, place)
                inputs = self._data.preparation.inputs
                return tag(viewable(image, inputs=inputs), alt, lossy=True)
        except (BadImage, OSError):
            return None


def thumbnails_of(
    run: RunFacts, part: str, progress: Progress, note: Callable[[str], None]
) -> Thumbnails | None:
    """The images of a run; None, with the reason told to `note`, if its data is not there."""
    if run.kind == "folds":
        note("the images of a cross-validation are listed by their names")
        return None
    try:
        model = open_run(run.folder, __version__, device=find_device("cpu"))
        data = data_of(model, progress)
    except SpecError as error:
        why = error.diagnostics[0].message if error.diagnostics else "it cannot be opened"
        note(f"images are listed by their names, as the data cannot be read: {why}")
        return None
    return Thumbnails(data, part) if part in data.stores else None
