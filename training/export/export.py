"""Exports a network: captures and writes it, reads it back, compares it, and puts it in place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from ...compiler.emit.forward_names import argument_names, output_names
from ...compiler.network import Network
from ...compiler.shapes import axes_of
from ...compiler.shapes import text as shape_text
from ...dsl.atomic_file import written
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.checkpoint import about_weights
from ..data.diagnostic import plural_noun
from ..data.images.preprocessing import Preparation, described_preprocessing
from ..data.images.resize import KEPT
from ..data.samples.sample_layout import noun_of
from ..masks.class_colors import class_colors
from ..tasks.answer import Scale
from ..tasks.image_to_image import ImageToImage
from ..tasks.known_tasks import (
    recorded,
    recorded_scale,
    recorded_task,
    recorded_thresholds,
    task_of,
)
from ..tasks.multi_label import MultiLabel
from ..tasks.multi_task import MultiTask
from ..tasks.regression import Regression
from ..tasks.segmentation import Segmentation
from ..tasks.task import Task
from .answering import answering
from .compare import BATCHES, Difference, compare
from .fold import Folded, fold
from .formats import OPSET, Format, format_of, misfit, not_installed, script_name, unknown
from .inputs_script import as_one, of_inputs, why_not
from .mask_script import mask_script
from .outputs_script import outputs_script
from .program import captured, evaluating
from .restore_script import restore_script
from .script import inference_script
from .trained import Trained, Weights, open_trained

Say = Callable[[str], None]


class Exported(NamedTuple):
    files: tuple[Path, ...]
    """The exported file, the weights of a large ONNX file (over 2 GB), and the script, if any."""
    format: Format
    differences: tuple[Difference, ...]
    """The differences between file and module, for each batch size; none for safetensors, whose
    weights are equal."""
    folded: Folded | None


def export(
    network: Network,
    path: str | Path,
    version: str,
    *,
    weights: Weights | None = None,
    fold_norms: bool = False,
    predict: bool = False,
    batch: int | None = None,
    opset: int | None = None,
    script: bool = False,
    whole: bool = False,
    photograph: str = "",
    say: Say = lambda line: None,
) -> Exported:
    """Exports a network to the file `path`.

    Raises SpecError if the network cannot be exported or the file computes something else, OSError
    if it cannot be written, and ValueError for options that do not fit the format; then no file is
    left. `predict` makes probabilities, or numbers in the units of the data, the output, `batch`
    fixes the batch size, `script` writes a script beside the ONNX file that answers for photographs
    with it. `whole` puts pre- and post-processing into the ONNX graph, which is then checked with
    the file `photograph`, if there is one. `say` gets progress messages.
    """
    format = format_of(str(path))
    if format is None:
        raise ValueError(unknown(str(path)))
    if reason := misfit(format, fold_norms, predict, batch, opset, script, whole):
        raise ValueError(reason)
    if missing := not_installed(format):
        raise SpecError([missing])
    with written(path) as file:  # first, so that an unwritable path fails at once
        if whole:
            from .whole import must_see_whole_images, must_take_an_image

            must_take_an_image(network)
            must_see_whole_images(*_recorded(_known(weights), weights))
        trained = open_trained(network, version, weights, heads=format == "safetensors")
        folded = None
        if fold_norms:
            folded = fold(network, trained.module)
            trained = trained._replace(module=folded.module)
            say(_folded_text(folded))
        known = _known(weights)
        notes = known | metadata(trained, version, weights is not None, known, predict, whole)
        differences = _write(trained, file, format, notes, predict, batch, opset, say)
        if whole:
            _wrap(trained, file, known, weights, notes, opset or OPSET, photograph, say)
        if "preparation" in known and not script:
            _say_spectrogram(Preparation.from_json(known["preparation"]), say)
        if script:
            text = _script(file.name, known, predict, weights)
            file.with_name(script_name(file)).write_text(text, encoding="utf-8")
        files = tuple(sorted(Path(path).with_name(each.name) for each in file.parent.iterdir()))
    return Exported(files, format, differences, folded)


def _say_spectrogram(preparation: Preparation, say: Say) -> None:
    """Says that the file takes spectrograms, which whoever uses it must compute."""
    if preparation.spectrogram is not None:
        say(
            f"its input is the spectrogram, {shape_text(preparation.input)}, that"
            f" `{preparation.spectrogram.word}` makes of {shape_text(preparation.sample)}: --script"
            " writes a script that computes it"
        )


def _write(
    trained: Trained,
    file: Path,
    format: Format,
    notes: dict[str, str],
    predict: bool,
    batch: int | None,
    opset: int | None,
    say: Say,
) -> tuple[Difference, ...]:
    # Imported where they are needed, since the packages of the other formats may be missing.
    if format == "safetensors":
        from .weights_file import write_safetensors

        write_safetensors(trained.module, file, {"format": "pt", **notes})
        say(f"{file.name} read back: {len(trained.module.state_dict())} tensors are bit-identical")
        return ()
    scale = _scale(notes)
    task = _image_task(notes)
    module = evaluating(
        trained,
        predict=predict,
        multi_label=_multi_label(notes),
        scale=scale,
        images=task,
        several=_several(notes),
    )
    program = captured(module, trained.network, batch)
    shapes = [node.shape for node in trained.network.inputs]
    run: Callable[..., object]
    if format == "onnx":
        from .onnx_file import RUNTIME, Session, write_onnx

        names = _names(trained.network, _output(predict, scale, task))
        write_onnx(program, file, names, opset or OPSET, notes)
        run, with_what = Session(file), RUNTIME
    else:
        from .pt2_file import Loaded, write_pt2

        write_pt2(program, file, notes)
        run, with_what = Loaded(file), "torch.export"
    differences = []
    for size in BATCHES if batch is None else (batch,):
        difference = compare(module, run, shapes, size, f"{file.name} in {with_what}")
        say(f"batch of {size} in {with_what}: {difference}")
        differences.append(difference)
    return tuple(differences)


def _wrap(
    trained: Trained,
    file: Path,
    known: Mapping[str, str],
    weights: Weights | None,
    notes: Mapping[str, str],
    opset: int,
    photograph: str,
    say: Say,
) -> None:
    """Puts pre- and post-processing into the ONNX file, and checks its answers."""
    from .check_whole import check_whole, generated, real
    from .whole import IR, before, write_whole

    preparation, task = _recorded(known, weights)
    write_whole(file, preparation, task, notes)
    model = before(preparation, opset, IR, ("pixels",))
    with TemporaryDirectory() as folder:
        pixels = Path(folder) / "pixels.onnx"
        pixels.write_bytes(model.SerializeToString())
        photographs = real(photograph, preparation) | generated(preparation)
        check_whole(file, pixels, trained.module, preparation, task, photographs, say)


def _recorded(known: Mapping[str, str], weights: Weights | None) -> tuple[Preparation, Task]:
    """The preprocessing and the task that weights record; raises SpecError if they do not."""
    if "preparation" not in known or "classes" not in known:
        raise _not_recorded(weights)
    task = recorded_task(known, json.loads(known["classes"]))
    if task is None:  # of a later version
        raise _not_recorded(weights)
    return Preparation.from_json(known["preparation"]), task


_KINDS = {0: "vectors", 1: "series", 2: "images", 3: "volumes"}
"""What an input without a name is called in a file, by its number of spatial axes."""


def _output(predict: bool, scale: Scale | None, images: ImageToImage | None) -> str:
    """What the output is, if the network does not name it."""
    if images is not None:
        return "answers" if predict else "outputs"
    if scale is not None:
        return "numbers" if predict else "outputs"
    return "probabilities" if predict else "logits"


def _names(network: Network, output: str = "") -> tuple[list[str], list[str]]:
    """What the inputs and outputs are called in a file: as in the module, if they have names."""
    kind = _KINDS[axes_of(network.input.shape)]
    inputs = argument_names(network) if network.input.label else [kind]
    if len(network.outputs) > 1:
        return inputs, output_names(network)[: len(network.outputs)]
    return inputs, [network.outputs[0].name or output]


def _known(weights: Weights | None) -> dict[str, str]:
    """The metadata of weights that is needed to use the network: class names, preprocessing, and
    the scale of numbers."""
    if not isinstance(weights, str | Path):
        return {}
    about = about_weights(Path(weights))
    known = {key: about[key] for key in about if key in _NEEDED}
    return {**known, "task": recorded(about)} if recorded(about) else known


_NEEDED = ("classes", "answers", "preparation", "thresholds", "ends_in", *Scale._fields)


def _image_task(known: Mapping[str, str]) -> ImageToImage | None:
    """The task of a network that answers with images; None if it answers with something else."""
    if known.get("task") != ImageToImage.word:
        return None
    task = task_of(
        ImageToImage.word,
        json.loads(known["classes"]),
        recorded_scale(known),
        ends_in=known.get("ends_in", ""),
    )
    assert isinstance(task, ImageToImage)
    return task


def _several(known: Mapping[str, str]) -> MultiTask | None:
    """The tasks of a network with several outputs; None if it has one."""
    task = recorded_task(known, ()) if known.get("task") == MultiTask.word else None
    assert task is None or isinstance(task, MultiTask)
    return task


def _scale(known: Mapping[str, str]) -> Scale | None:
    """The scale of the numbers that the network predicts; None if it predicts something else."""
    return recorded_scale(known) if known.get("task") == Regression.word else None


def _multi_label(known: Mapping[str, str]) -> bool | None:
    return known["task"] == MultiLabel.word if "task" in known else None


def _script(model: str, known: Mapping[str, str], predict: bool, weights: Weights | None) -> str:
    """The inference script; raises SpecError if the weights do not record the preprocessing."""
    if "preparation" not in known or "classes" not in known:
        raise _not_recorded(weights)
    preparation, classes = Preparation.from_json(known["preparation"]), json.loads(known["classes"])
    several = _several(known)
    masks = known.get("task") == Segmentation.word
    if preparation.inputs:
        maps = masks or _image_task(known) is not None or (several is not None and several.has_maps)
        message = why_not(preparation)
        if maps:
            message = "the script prints answers for several inputs; here they are masks or images"
        if message:
            help = "export it without --script: the file's metadata have the preprocessing of each"
            raise SpecError([Diagnostic("export-script", message, help=help)])
        alone = {**known, "preparation": as_one(preparation).to_json()}
        return of_inputs(_script(model, alone, predict, weights), preparation)
    if masks or (several is not None and several.has_maps):
        if not preparation.of_images:
            nouns = plural_noun(noun_of(preparation.sample))
            message = f"the script writes masks of images, and this network takes {nouns}"
            help = "export it without --script: the file's metadata describe the preprocessing"
            raise SpecError([Diagnostic("export-script", message, help=help)])
        if preparation.fit.resize != preparation.fit.crop:
            height, width = preparation.fit.crop
            message = "the script resizes whole images, and this network sees a crop of them"
            help = f"write `evaluate {{ resize {height}x{width} }}`, or export without --script"
            raise SpecError([Diagnostic("export-script", message, help=help)])
    if several is not None and several.behind.images:
        message = "the script prints answers and writes masks, and one of the outputs is an image"
        help = "export it without --script, or let `cnn predict -o folder/` write the images"
        raise SpecError([Diagnostic("export-script", message, help=help)])
    if several is not None:
        return outputs_script(model, preparation, several, predicts=predict)
    if masks:
        return mask_script(model, preparation, classes)
    task = _image_task(known)
    if task is not None:
        if preparation.fit.resize != KEPT:
            message = (
                "the script answers for images in their own size, and this network has learned"
            )
            message += " resized ones"
            help = "write `evaluate { resize none }`, or export without --script"
            raise SpecError([Diagnostic("export-script", message, help=help)])
        return restore_script(model, preparation, task, predicts=predict)
    return inference_script(
        model,
        preparation,
        classes,
        multi_label=bool(_multi_label(known)),
        predicts=predict,
        scale=_scale(known),
        thresholds=recorded_thresholds(known, len(classes)),
    )


def _not_recorded(weights: Weights | None) -> SpecError:
    given = isinstance(weights, str | Path)
    whose = f"{weights} does" if given else "untrained weights do"
    message = f"{whose} not record the classes or the preprocessing"
    help = "export a run folder, or the best.safetensors that `cnn train` wrote"
    return SpecError([Diagnostic("no-classes", message, help=help)])


def metadata(
    trained: Trained,
    version: str,
    given: bool,
    known: Mapping[str, str],
    predict: bool,
    whole: bool = False,
) -> dict[str, str]:
    """The metadata of an exported network, in all formats."""
    network = trained.network
    preprocessing = {}
    if "preparation" in known:
        described = described_preprocessing(Preparation.from_json(known["preparation"]))
        preprocessing["dotcnn.preprocessing"] = json.dumps(described)
    texts = "\0".join(spec.source.text for spec in network.program.files)
    source = network.program.main.source
    return {
        "dotcnn.network": network.name,
        "dotcnn.version": version,
        "dotcnn.spec": Path(source.path or source.name).name,
        "dotcnn.spec_sha256": hashlib.sha256(texts.encode()).hexdigest(),
        **_interface(network),
        "dotcnn.weights": "given" if given else "initial, untrained",
        **_answers(known, predict or whole),
        **(_of_whole(known) if whole else {}),
    } | preprocessing


def _answers(known: Mapping[str, str], predict: bool) -> dict[str, str]:
    """What the outputs are; also the thresholds of several classes, the colors of masks, and the
    names of numbers and of the channels of images."""
    task = _image_task(known)
    if task is not None:
        levels = "levels from 0 to 1"
        if not predict and task.ends_in:
            levels = f"before the {task.ends_in} that makes levels from 0 to 1 of it"
        elif not predict and (task.means, task.deviations) != ((0.0,), (1.0,)):
            levels = "normalized like the input"
        return {"dotcnn.output": f"an image, {levels}", "dotcnn.channels": known["classes"]}
    if _several(known) is not None:
        how = "answers: probabilities, or numbers in the units of the data" if predict else "raw"
        return {"dotcnn.output": f"one for each answer, {how}", "dotcnn.answers": known["answers"]}
    if _scale(known) is None:
        said = {"dotcnn.output": "probabilities" if predict else "logits"}
        if "thresholds" in known:
            said["dotcnn.thresholds"] = known["thresholds"]
        if known.get("task") == Segmentation.word:
            colors = class_colors(json.loads(known["classes"])).tolist()
            said["dotcnn.palette"] = json.dumps(colors)
        return said
    units = "in the units of the data" if predict else "standardized by means and deviations"
    return {"dotcnn.output": f"numbers, {units}", "dotcnn.numbers": known["classes"]}


def _of_whole(known: Mapping[str, str]) -> dict[str, str]:
    """What a file with pre- and post-processing takes and gives."""
    preparation, task = _recorded(known, None)
    channels = 3 if preparation.channels in (1, 3) else preparation.channels
    names = []
    for prefix, one in answering(task):
        example = torch.zeros(1, len(one.classes), *((2, 2) if one.dense else ()))
        names += [prefix + name for name in one.exported(one.answers(example))]
    return {
        "dotcnn.whole": "pre- and post-processing are in the graph",
        "dotcnn.images": f"uint8, images x height x width x {channels}, RGB, of any size, upright",
        "dotcnn.output": ", ".join(names),
    }


def _interface(network: Network) -> dict[str, str]:
    """The shape of the input and the number of classes; of several, the shapes by name."""
    if len(network.inputs) == len(network.outputs) == 1:
        return {
            "dotcnn.input": shape_text(network.input.shape),
            "dotcnn.classes": str(network.output.shape[0]),
        }
    inputs, outputs = _names(network)
    ends = [output.node for output in network.outputs]
    named = [*zip(inputs, network.inputs, strict=True), *zip(outputs, ends, strict=True)]
    shapes = [f"{name} {shape_text(node.shape)}".strip() for name, node in named]
    return {
        "dotcnn.inputs": ", ".join(shapes[: len(inputs)]),
        "dotcnn.outputs": ", ".join(shapes[len(inputs) :]),
    }


def _folded_text(folded: Folded) -> str:
    norms, convolutions = len(folded.names), len(folded.standardized)
    parts = []
    if norms:
        parts.append("1 batch norm folded" if norms == 1 else f"{norms} batch norms folded")
    if convolutions:
        of_what = "1 convolution" if convolutions == 1 else f"{convolutions} convolutions"
        parts.append(f"filters of {of_what} standardized")
    if not parts:
        return "no batch norm comes directly after a layer that it can be folded into"
    return f"{', '.join(parts)}: {folded.difference}"
