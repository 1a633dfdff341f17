"""`cnn predict`: predict the classes, masks or numbers of images with a trained network, or restore
images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...compiler.commands.options import add_format, add_set, natural
from ...compiler.commands.terminal import ERRORS, OK, CommandError, UsageError, say, style
from ...compiler.report.figures import plural
from ..runs.named_runs import no_run_of
from .common import add_device, add_tta, needs_torch

if TYPE_CHECKING:
    from ...compiler.plan.evaluate import Tta
    from ..inference.trained_model import TrainedModel
    from ..tasks.multi_task import MultiTask

EXAMPLES = """\
cnn predict runs/net photo.jpg
cnn predict runs/net photos/ --top 1 --format json
cnn predict runs/unet photos/ -o masks/ --overlay
cnn predict runs/denoiser photos/ -o restored/
cnn predict runs/siamese left=a.png right=b.png"""

DETAILS = """\
A network that answers for each pixel says how much of each image every class covers, and -o writes
the masks, in the size of the images: PNG files of class numbers, with a color for each class. Of
series and scans, they are .npz files, with a class number for each step or voxel.
Where an image may have several classes, those are printed whose probability is at least their
threshold, which training chose on the validation set: there, F1 of the class is largest.
A network that learned numbers prints them in the units of the data it learned from; one with
several outputs prints the answer of each, and -o writes the masks among them: a_mask.png of the
image a.jpg and the output `mask`. One that answers with images takes photographs of any
size, as they are, and writes PNG files.
A network with several inputs takes a file for each, by its name; or a folder with folders of these
names, a table with such columns, a .npz file with such arrays."""


_TOP = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, which `cnn train` wrote")
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="an image, a folder with images, or a .npy or .npz file; for series also .wav or .csv;"
        " of a network with several inputs, `left=FILE right=FILE`",
    )
    parser.add_argument(
        "-n",
        "--top",
        type=natural,
        metavar="N",
        help="show the N most likely classes of each image (default: 5; where an image may have"
        " several classes, all above their thresholds)",
    )
    masks = parser.add_argument_group("of networks that answer with masks or images")
    masks.add_argument(
        "-o", "--output", metavar="DIR", help="write the mask or the image for each image here"
    )
    masks.add_argument(
        "--overlay", action="store_true", help="also write each image with its mask over it"
    )
    masks.add_argument(
        "--polygons",
        action="store_true",
        help="also write the outlines of all regions, as JSON; with --format json, print them",
    )
    masks.add_argument(
        "--force", action="store_true", help="replace files that `cnn predict` did not write"
    )
    add_tta(parser)
    add_device(parser)
    add_format(parser)
    add_set(parser, "change a directive of a section, as in evaluate.tta=flip; may be repeated")


def run(options: argparse.Namespace) -> int:
    if not Path(options.run).is_dir():
        raise UsageError(no_run_of(options.run, ": name one that `cnn train` wrote"))
    needs_torch("prediction")

    from ..data.diagnostic import plural_noun
    from ..data.images.visible import shown_by
    from ..data.samples.sample_layout import noun_of
    from ..display.outcome_text import as_text
    from ..display.prediction_text import (
        numbers_json,
        numbers_text,
        outputs_json,
        outputs_text,
        prediction_json,
        prediction_text,
        present_json,
        present_text,
    )
    from ..inference.evaluate import tta_of
    from ..inference.predict import found_in, nothing_in, predict
    from ..inference.trained_model import open_run
    from ..runtime.devices import find_device
    from ..tasks.multi_label import MultiLabel
    from ..tasks.multi_task import MultiTask
    from ..tasks.regression import Regression

    device = find_device(options.device)
    model = open_run(Path(options.run), __version__, device=device, set=options.set)
    shape = model.request.network.input.shape
    if model.preparation is not None:
        shape = model.preparation.sample
    noun = noun_of(shape)
    if model.preparation is not None and model.preparation.inputs:
        from ..inference.given_inputs import samples_found

        images: list[tuple[str, Any]] = [*samples_found(options.images, model.preparation)]
    else:
        images = found_in(options.images, shape)
    if not images:
        raise CommandError(nothing_in(options.images, noun))
    tta = tta_of(model.plan) if options.tta else None
    if model.task is not None and model.task.dense:
        dense = _pictures if model.task.images else _masks
        with shown_by(model.plan):
            return dense(options, model, images, tta)
    if isinstance(model.task, MultiTask) and model.task.has_maps:
        with shown_by(model.plan):
            return _of_outputs(options, model, model.task, images, tta)
    for name in ("output", "overlay", "polygons"):
        if getattr(options, name):
            raise UsageError(
                f"--{name} is for masks, and {model.name} answers for whole {plural_noun(noun)}"
            )
    predictions = list(predict(model, images, top=options.top or _TOP, tta=tta))
    bad = [each for each in predictions if each.reason]
    about = {"network": model.request.network.name, "weights": model.name}
    if isinstance(model.task, MultiTask):
        if options.format == "json":
            print(as_text(outputs_json(about, predictions, model.task)))
        elif len(bad) < len(predictions):
            print(outputs_text(predictions, model.task, style(options)))
    elif isinstance(model.task, Regression):
        if options.format == "json":
            print(as_text(numbers_json(about, predictions, model.task)))
        elif len(bad) < len(predictions):
            print(numbers_text(predictions, model.task, style(options), noun))
    elif isinstance(model.task, MultiLabel):
        if options.format == "json":
            print(as_text(present_json(about, predictions, model.task)))
        elif len(bad) < len(predictions):
            print(present_text(predictions, model.task, style(options), options.top))
    elif options.format == "json":
        print(as_text(prediction_json(about, predictions, model.classes or ())))
    elif len(bad) < len(predictions):
        print(prediction_text(predictions, style(options), noun))
    for each in bad:
        say(f"cnn: {each.image}: {each.reason}")
    return ERRORS if bad else OK


def _masks(
    options: argparse.Namespace,
    model: TrainedModel,
    images: Sequence[tuple[str, Any]],
    tta: Tta | None,
) -> int:
    """Predicts masks. Each is written at once, so that many large ones need little memory."""
    from ..data.diagnostic import plural_noun
    from ..data.samples.sample_layout import noun_of
    from ..display.outcome_text import as_text
    from ..display.prediction_text import shares_json, shares_text
    from ..inference.predict import predict
    from .predicted_masks import ArrayFiles, MaskFiles, mask_names, polygons_json

    classes = model.classes or ()
    assert model.preparation is not None
    noun = noun_of(model.preparation.sample)
    of_images = model.preparation.of_images
    if options.polygons and not of_images:
        raise UsageError(f"--polygons is for images, and {model.name} takes {plural_noun(noun)}")
    in_json = options.format == "json"
    files, names = None, [""] * len(images)
    if options.output is not None:
        if not options.output:
            raise UsageError("the name of the folder to write is empty")
        kind = MaskFiles if of_images else ArrayFiles
        files = kind(Path(options.output), options.overlay, options.polygons)
        names = mask_names(options.images, images)
        files.must_be_free(names, images, force=options.force)
    elif options.overlay or (options.polygons and not in_json):
        raise UsageError("name the folder to write to: -o masks/")
    predictions, entries, bad = [], [], 0
    for (_, image), name, each in zip(images, names, predict(model, images, tta=tta), strict=True):
        if each.reason:
            say(f"cnn: {each.image}: {each.reason}")
            bad += 1
        elif files is not None:
            files.write(name, each, image, classes, model.preparation.read)
        if in_json:
            entry = shares_json(each, classes)
            if files is not None and each.mask is not None:
                entry["mask"] = str(files.folder / f"{name}{next(files.endings())}")
            if options.polygons and each.mask is not None:
                entry["polygons"] = polygons_json(each, classes)["polygons"]
            entries.append(entry)
        predictions.append(each._replace(mask=None))
    if in_json:
        about = {"network": model.request.network.name, "weights": model.name}
        print(as_text({**about, "classes": list(classes), "images": entries}))
    elif bad < len(images):
        print(shares_text(predictions, style(options), options.top or _TOP, noun))
    if files is None:
        say("the masks are not written; -o masks/ writes them")
    elif bad < len(images):
        say(f"wrote {plural(len(images) - bad, 'mask')} into {files.folder}")
    return ERRORS if bad else OK


def _of_outputs(
    options: argparse.Namespace,
    model: TrainedModel,
    task: MultiTask,
    images: Sequence[tuple[str, Any]],
    tta: Tta | None,
) -> int:
    """Predicts for several outputs, of which some are masks or images: these are written at once,
    into files with the name of the output after that of the image."""
    from ..display.outcome_text import as_text
    from ..display.prediction_text import outputs_json, outputs_text
    from ..inference.predict import predict
    from .predicted_masks import MaskFiles, PictureFiles, mask_names, polygons_json

    assert model.preparation is not None
    in_json = options.format == "json"
    maps = [one for one in task.each if one.answer.is_map]
    for option in ("overlay", "polygons"):
        if getattr(options, option) and not any(one.answer.is_mask for one in maps):
            raise UsageError(f"--{option} is for masks, and {model.name} answers with none")
    files, names = None, [""] * len(images)
    if options.output is not None:
        if not options.output:
            raise UsageError("the name of the folder to write is empty")
        folder = Path(options.output)
        names = mask_names(options.images, images)
        files = {
            one.name: MaskFiles(folder, options.overlay, options.polygons)
            if one.answer.is_mask else PictureFiles(folder)
            for one in maps
        }  # fmt: skip
        for output, own_files in files.items():
            every = [f"{name}_{output}" for name in names]
            own_files.must_be_free(every, images, force=options.force)
    elif options.overlay or (options.polygons and not in_json):
        raise UsageError("name the folder to write to: -o masks/")
    predictions, further, bad = [], [], 0
    answers = predict(model, images, top=options.top or _TOP, tta=tta)
    for (_, image), name, each in zip(images, names, answers, strict=True):
        if each.reason:
            say(f"cnn: {each.image}: {each.reason}")
            bad += 1
        about: dict[str, dict[str, Any]] = {}
        for one in maps if not each.reason else ():
            own = each.outputs[one.name]
            about[one.name] = {}
            if files is not None:
                file = f"{name}_{one.name}"
                files[one.name].write(file, own, image, one.task.classes, model.preparation.read)
                kind = "mask" if one.answer.is_mask else "file"
                about[one.name][kind] = str(files[one.name].folder / f"{file}.png")
            if one.answer.is_mask and options.polygons and in_json:
                outlines = polygons_json(own, one.task.classes)["polygons"]
                about[one.name]["polygons"] = outlines
        further.append(about)
        without = {
            output: own._replace(mask=None, picture=None) for output, own in each.outputs.items()
        }
        predictions.append(each._replace(outputs=without))
    if in_json:
        known = {"network": model.request.network.name, "weights": model.name}
        print(as_text(outputs_json(known, predictions, task, further)))
    elif bad < len(images):
        print(outputs_text(predictions, task, style(options)))
    what = "mask" if all(one.answer.is_mask for one in maps) else "image"
    if files is None:
        say(f"the {what}s are not written; -o {what}s/ writes them")
    elif bad < len(images):
        say(f"wrote {plural(len(maps) * (len(images) - bad), what)} into {options.output}")
    return ERRORS if bad else OK


def _pictures(
    options: argparse.Namespace,
    model: TrainedModel,
    images: Sequence[tuple[str, Any]],
    tta: Tta | None,
) -> int:
    """Predicts images. Each is written at once, so that many large ones need little memory."""
    from ..display.outcome_text import as_text
    from ..display.prediction_text import picture_json, pictures_text
    from ..inference.predict import predict
    from .predicted_masks import PictureFiles, mask_names

    for name in ("overlay", "polygons"):
        if getattr(options, name):
            raise UsageError(f"--{name} is for masks, and {model.name} answers with images")
    files, names = None, [""] * len(images)
    if options.output is not None:
        if not options.output:
            raise UsageError("the name of the folder to write is empty")
        files = PictureFiles(Path(options.output))
        names = mask_names(options.images, images)
        files.must_be_free(names, images, force=options.force)
    assert model.preparation is not None
    entries, bad = [], 0
    for (_, image), name, each in zip(images, names, predict(model, images, tta=tta), strict=True):
        written = ""
        if each.reason:
            say(f"cnn: {each.image}: {each.reason}")
            bad += 1
        elif files is not None:
            files.write(name, each, image, (), model.preparation.read)
            written = str(files.folder / f"{name}.png")
        entries.append(picture_json(each, written))
    if options.format == "json":
        about = {"network": model.request.network.name, "weights": model.name}
        print(as_text({**about, "images": entries}))
    elif bad < len(images):
        print(pictures_text(entries, style(options)))
    if files is None:
        say("the images are not written; -o restored/ writes them")
    elif bad < len(images):
        say(f"wrote {plural(len(images) - bad, 'image')} into {files.folder}")
    return ERRORS if bad else OK
