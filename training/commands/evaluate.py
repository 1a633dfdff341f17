"""`cnn evaluate`: evaluate a trained network: accuracy, confusion matrix, metrics of each class."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...compiler.commands.options import add_format, add_network_options
from ...compiler.commands.output_file import writing
from ...compiler.commands.specs import source_of
from ...compiler.commands.terminal import OK, UsageError, say, style
from ...dsl.program import GALLERY
from ..runs.named_runs import no_run_of
from .common import (
    add_cache,
    add_data,
    add_device,
    add_tta,
    needs_torch,
    progress_display,
    use_cache,
)

if TYPE_CHECKING:
    from ..data.opened import Opened
    from ..inference.trained_model import TrainedModel
    from ..metrics.outcome import Outcome

EXAMPLES = """\
cnn evaluate runs/net
cnn evaluate runs/net --data new_photos --part all
cnn evaluate resnet18 --weights best.safetensors --data flowers --format json
cnn evaluate runs/net --tta --report page.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder; or, with --weights, a spec")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="weights for a spec: a .safetensors file, or a state dict that torch saved",
    )
    add_tta(parser)
    add_device(parser)
    add_cache(parser)
    add_data(parser, "evaluate on other images")
    parser.add_argument(
        "--part",
        choices=["val", "test", "train", "all"],
        default="val",
        help="which part of the data: the validation set (val), the test set, the training set, or"
        " all (default: val)",
    )
    add_format(parser)
    parser.add_argument(
        "--report",
        metavar="PAGE",
        help="also write a web page with curves, confusion matrix and the worst mistakes",
    )
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    if options.weights is None and not Path(options.run).is_dir():
        otherwise = "; to evaluate a spec, name its weights: --weights FILE"
        raise UsageError(no_run_of(options.run, otherwise))
    if options.weights is None and (options.input or options.network or options.max_layers):
        raise UsageError("--input, --network and --max-layers are for specs; a run has its own")
    needs_torch("evaluation")
    use_cache(options)

    from ..data.remote.notes import shown_by
    from ..display.outcome_text import as_text, outcome_json, outcome_text
    from ..inference.evaluate import tta_of
    from ..inference.out_of_fold import assess_each, is_cross_validated

    model = _open_model(options)
    tta = tta_of(model.plan) if options.tta else None
    with progress_display(options) as callback, shown_by(callback.note):
        outcome, data = assess_each(
            model,
            options.part,
            tta=tta,
            progress=callback.reading,
            look=partial(_compare_preprocessing, model),
        )
    if is_cross_validated(model) and options.part == "val":
        say("each image was evaluated with the network that was not trained on it")
    about = {"network": model.request.network.name, "weights": model.name, "epoch": model.epoch}
    if options.format == "json":
        print(as_text(outcome_json(about, outcome, data.dataset.classes)))
    else:
        epoch = f", epoch {model.epoch}" if model.epoch is not None else ""
        title = f"{model.request.network.name} ({model.name}{epoch})"
        print(outcome_text(title, outcome, data.dataset.classes, style(options), data.dataset.noun))
    _keep_answers(options, model, outcome, data)
    page = options.report or _missing_page(options, model)
    if page is None:
        return OK

    from ..page.write import write_page

    with writing(page):
        write_page(Path(page), model, outcome, data)
    say(f"wrote {page}")
    return OK


def _compare_preprocessing(model: TrainedModel, data: Opened) -> None:
    """Prints whether the preprocessing suits the weights, if neither they nor the spec say it."""
    if model.preparation is not None or model.plan.evaluate.normalize.written:
        return
    from ..transfer.pixel_scale import compare_preprocessing

    module = model.modules[0]
    comparison = compare_preprocessing(
        model.request.network, module, data, set(module.state_dict())
    )
    if comparison is not None:
        path = model.request.source.path
        in_gallery = path is not None and GALLERY in path.resolve().parents
        for line in comparison.lines(model.name, options=in_gallery):
            say(line)


def _as_trained(options: argparse.Namespace) -> bool:
    """Whether a run was evaluated as at its end: on its own data, with nothing changed."""
    return options.weights is None and not (options.data or options.set or options.tta)


def _missing_page(options: argparse.Namespace, model: TrainedModel) -> str | None:
    """The report.html of a run that was stopped before it was written; None in other cases."""
    from ..page.write import NAME

    if model.folder is None or not _as_trained(options) or options.part != "val":
        return None
    page = model.folder / NAME
    return None if page.exists() else str(page)


def _keep_answers(
    options: argparse.Namespace, model: TrainedModel, outcome: Outcome, data: Opened
) -> None:
    """Writes the answers to each image of a run that does not have those of its best weights."""
    from ..answers.answers_file import answers_name, lacks_answers, write_answers
    from ..answers.collect import collected

    folder, part = model.folder, options.part
    if folder is None or not _as_trained(options) or part not in ("val", "test"):
        return
    if not lacks_answers(folder, part, model.epoch):
        return
    try:
        write_answers(folder, collected(outcome, data, model.epoch))
    except OSError as error:
        name = folder / answers_name(part)
        say(f"cannot write {name}: {error.strerror}; comparisons will evaluate the run again")


def _open_model(options: argparse.Namespace) -> TrainedModel:
    """The trained model of a run, or of a spec with weights."""
    from ..inference.trained_model import open_run, open_weights
    from ..runtime.devices import find_device

    device = find_device(options.device)
    if options.weights is None:
        return open_run(
            Path(options.run), __version__, device=device, data=options.data, set=options.set
        )
    return open_weights(
        source_of(options.run),
        Path(options.weights),
        __version__,
        device=device,
        data=options.data,
        set=options.set,
        network=options.network,
        input=options.input,
        max_layers=options.max_layers,
    )
