"""dotcnn: a language and compiler for convolutional networks.

A network is a spec: a file, a name of the gallery (`cnn gallery`), or the text itself.

    network = dotcnn.compile("net.cnn")              # the graph, every shape known
    print(dotcnn.report("resnet18")["totals"])       # parameters, multiply-adds, memory
    source = dotcnn.emit("net.cnn")                  # the torch module, as text
    model = dotcnn.load("net.cnn")                   # that text, live: an nn.Module

Training needs `pip install "dotcnn[torch]"`. Everything about a run is in its folder:

    result = dotcnn.train("net.cnn", data="flowers", epochs=20)     # a folder of images
    result = dotcnn.train("net.cnn", data=(images, labels))         # or arrays, also of masks
    result.metrics, result.module, result.folder                    # runs/net

These take the folder of a run, which holds the trained weights:

    dotcnn.evaluate("runs/net").metrics              # the metrics of a trained network
    dotcnn.predict("runs/net", "photo.jpg")          # or a Pillow image, an array, a list of them
    model = dotcnn.load("runs/net")                  # its best weights, as an nn.Module
    dotcnn.export("runs/net", "net.onnx")            # also .pt2, .safetensors
    dotcnn.match("net.cnn", other).load_into(model)  # another model's weights, matched by structure
    dotcnn.from_module(other, (3, 224, 224)).text    # the spec of any torch module, proved

A mistake in a spec, the data or a run raises `dotcnn.SpecError`. Its text is what the command line
would print; `.diagnostics` has the same as objects, with source locations, codes and help.

Layers, losses, metrics and augmentations of your own are plug-ins, `dotcnn.plugins`: all functions
take `plugins=["mine.py"]`, which executes the file, for specs that say `use "mine"`.

Importing `dotcnn` is fast: torch is imported by the functions that need it, when they are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .compiler.importing.import_network import Imported
    from .compiler.network import Network
    from .dsl.diagnostics import Diagnostic, SpecError
    from .dsl.source import Source
    from .training.export.export import Exported
    from .training.find_lr.found_rate import FoundRate
    from .training.inference.prediction import Prediction
    from .training.inference.trained_model import TrainedModel
    from .training.metrics.outcome import Outcome
    from .training.request import Request
    from .training.trainer.callbacks import Callback
    from .training.trainer.result import Result
    from .training.weights.match import Match

__version__ = "0.2.0"
__all__ = [
    "Callback", "Diagnostic", "SpecError", "check", "compile", "emit", "evaluate", "export",
    "find_lr", "from_module", "load", "match", "predict", "report", "train",
]  # fmt: skip

Plugins = Sequence["str | Path"]
"""Python files of one's own layers, losses, metrics or augmentations: see `dotcnn.plugins`."""

_CLASSES = {
    "Callback": ".training.trainer.callbacks",
    "Diagnostic": ".dsl.diagnostics",
    "SpecError": ".dsl.diagnostics",
}


def __getattr__(name: str) -> Any:
    """Imports a public class when it is first accessed."""
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_CLASSES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_CLASSES})


def compile(
    spec: str | Path,
    *,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
    plugins: Plugins = (),
) -> Network:
    """Compile a spec, or the spec of a run, to a network in which every shape is known.

    `spec` is a path, the name of a spec in the gallery, the text itself (anything with a brace), or
    the folder of a run. `parameters` sets the parameters of the network: `{"width": 32}`. `input`
    and `classes` replace the input shape and the number of classes; `network` selects a network of
    a file that defines several. Raises SpecError with all errors of the spec.
    """
    _give(plugins)
    from .compiler.build.elaborate import elaborate
    from .compiler.load_spec import load

    if _is_run(spec):
        _must_be_alone("a run", input=input, classes=classes, network=network)
        return _request_of_run(spec, parameters).network
    return elaborate(
        load(_source(spec)),
        network=network,
        overrides=parameters,
        input_shape=input,
        classes=classes,
    )


def report(spec: str | Path | Network, *, batch: int = 1, plugins: Plugins = ()) -> dict[str, Any]:
    """Shapes, parameters, multiply-adds and memory of a network, in total and for each layer.

    The result has the structure that `cnn report --format json` prints.
    """
    _give(plugins)
    from .compiler.analysis import analyse
    from .compiler.report.data import report as figures

    network = compile(spec) if isinstance(spec, (str, Path)) else spec
    return figures(analyse(network), batch)


def check(spec: str | Path, *, plugins: Plugins = ()) -> list[Diagnostic]:
    """All errors and warnings about a spec; an empty list if there are none."""
    _give(plugins)
    from .compiler.diagnose.check import check as examine
    from .compiler.load_spec import load
    from .dsl.diagnostics import SpecError

    try:
        return examine(load(_source(spec)))
    except SpecError as error:
        return list(error.diagnostics)


def emit(
    spec: str | Path | Network,
    *,
    flat: bool = False,
    main: bool = False,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
    plugins: Plugins = (),
) -> str:
    """The Python source of a network as a torch module, which depends on torch alone.

    `flat` writes a single class with one line for each layer. `main` adds a small self-test that
    runs when the file is executed.
    """
    _give(plugins)
    from .compiler.emit import emit as source

    if isinstance(spec, (str, Path)):
        spec = compile(spec, parameters=parameters, input=input, classes=classes, network=network)
    return source(spec, __version__, flat=flat, main=main)


def load(
    spec: str | Path | Network,
    *,
    weights: str | Path | None = None,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
    plugins: Plugins = (),
) -> nn.Module:
    """Load a network as an `nn.Module`, with initial weights, weights of a file, or those of a run.

    The module is the source that `emit` writes, executed. Given a spec, its weights are initialized
    as the spec says, unless `weights` names a file (safetensors, or a state dict saved by torch;
    no code in such a file is executed) or a run, whose best weights are then taken. It is in
    training mode. Raises SpecError if the weights do not fit: see `match`.

    Given a run (`load("runs/net")`), it has the best weights and is in evaluation mode. An ensemble
    averages the probabilities of its networks and returns their mean as logits. To classify image
    files, `predict` is simpler: it also does the preprocessing.
    """
    _give(plugins)
    from .training.export.trained import open_trained

    if weights is None and _is_run(spec):
        _must_be_alone("a run", input=input, classes=classes, network=network)
        return _module_of_run(spec, parameters)
    if weights is not None and _is_run(weights):
        from .training.saved_request import best_of

        weights = best_of(Path(weights))
    if isinstance(spec, (str, Path)):
        spec = compile(spec, parameters=parameters, input=input, classes=classes, network=network)
    return open_trained(spec, __version__, weights).module.train()


def match(
    spec: str | Path | Network,
    source: nn.Module | Mapping[str, object] | str | Path,
    *,
    example: Tensor | None = None,
    adapt_channels: bool = False,
    by_order: bool = False,
    plugins: Plugins = (),
) -> Match:
    """Match another model's weights to the layers of a network, by structure and not by name.

        matched = dotcnn.match("resnet18", torchvision.models.resnet18(weights="DEFAULT"))
        print(matched.table())                       # one row for each weight, with the reason
        matched.require_complete()
        matched.load_into(model)

    `source` is a module, its state dict, or a file of weights. A module gives the most reliable
    match, because its computation can be traced. A weight that could belong in two places is left
    out, unless `by_order` lets the order of the weights decide. `adapt_channels` adapts the first
    convolution from three input channels to one, or the reverse. `example` is an input batch, for
    modules that cannot be traced without one.
    """
    _give(plugins)
    from .training.weights.match import match as find
    from .training.weights.read import read_weights

    network = compile(spec) if isinstance(spec, (str, Path)) else spec
    weights = read_weights(source) if isinstance(source, (str, Path)) else source
    return find(network, weights, example=example, adapt_channels=adapt_channels, by_order=by_order)


def from_module(
    module: nn.Module,
    example: Tensor | Sequence[int] | None = None,
    *,
    name: str = "",
    partial: bool = False,
) -> Imported:
    """Write the spec of a torch module, whoever wrote it, and prove that it is the same network.

        imported = dotcnn.from_module(torchvision.models.resnet50(), (3, 224, 224))
        print(imported.text)                         # blocks and loops, as a person would write
        imported.save("net.cnn")                     # and its weights, net.safetensors

    `example` is a batch of images, or the shape of one image; modules that say what they were made
    for, as those of timm do, need none. `name` is that of the network; the default is the module's
    class. The module is followed by torch.export, which runs its code on tensors without values,
    and is not changed. The spec is compiled again, layer by layer the same network, and the outputs
    for random images are those of the module in its evaluation mode.

    `.network` is the compiled network, `.weights` has its weights, by their names in what `load`
    gives; `.save(path)` writes both. Raises SpecError if the language cannot say a part of it, with
    the modules where that is; with `partial`, the result ends before them.
    """
    from .training.importing.from_module import imported_module

    return imported_module(module, example, name, partial)


def export(
    spec: str | Path | Network,
    path: str | Path,
    *,
    weights: str | Path | Mapping[str, Tensor] | None = None,
    fold: bool = False,
    predict: bool = False,
    batch: int | None = None,
    opset: int | None = None,
    script: bool = False,
    whole: bool = False,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
    plugins: Plugins = (),
) -> Exported:
    """Export a network as ONNX or torch.export (`.pt2`), or its weights as safetensors.

    The ending of `path` decides the format. The file is put in place only after it has been read
    back and its outputs agree with the network's. `weights` is a file or a state dict; the default
    is the best weights of a run, or the initial weights of a spec. `fold` folds batch norms into
    the layers before them; `predict` outputs probabilities, not logits; `batch` fixes the batch
    size; `script` writes a Python script beside an ONNX file that classifies photographs with it;
    `whole` puts pre- and post-processing into the ONNX graph, which then answers for photographs.
    Raises SpecError if the export fails, and OSError if the file cannot be written.
    """
    _give(plugins)
    from .training.export.export import export as write

    if weights is None and _is_run(spec):
        from .training.saved_request import best_of

        weights = best_of(Path(str(spec)))
    if isinstance(spec, (str, Path)):
        spec = compile(spec, parameters=parameters, input=input, classes=classes, network=network)
    return write(
        spec,
        path,
        __version__,
        weights=weights,
        fold_norms=fold,
        predict=predict,
        batch=batch,
        opset=opset,
        script=script,
        whole=whole,
    )


def load_ipython_extension(ipython: Any) -> None:
    """For `%load_ext dotcnn` in a notebook: `%%cnn net` before a spec makes a network of it."""
    from .editor.notebook.cell import load_extension

    load_extension(ipython)


def train(
    spec: str | Path | Network | None = None,
    *,
    data: object = None,
    epochs: int | None = None,
    set: Mapping[str, object] | None = None,
    output: str | Path | None = None,
    resume: str | Path | bool | None = None,
    device: str = "auto",
    callback: Callback | Sequence[Callback] = (),
    quiet: bool = False,
    find_lr: bool = False,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    network: str | None = None,
    plugins: Plugins = (),
    tags: Sequence[str] = (),
    note: str = "",
) -> Result:
    """Train a network as its spec says, and write the run to a folder, `runs/NAME`.

        result = dotcnn.train("net.cnn", data="flowers", epochs=20, set={"train.batch": 32})
        result.metrics["top1"], result.module, result.folder

    `spec` is a file, a text, or a compiled network, whose text is taken. `data` replaces the spec's
    `data` line. It is a folder with one folder of images for each class, a .npz file, the name of a
    data set (`"cifar10"`), or arrays (NumPy, torch or lists): `(images, labels)`, or `{"train":
    (images, labels), "val": (images, labels)}`. Without `val`, 20 % of the images are kept for
    validation. Labels may be classes, numbers, masks or target images, and a dict of them for
    several outputs, as images for several inputs; images that a network learns themselves need
    none: `data=images`.

    `set` replaces directives: `{"train.batch": 32, "train.optimizer": "sgd lr=0.1"}`. `parameters`
    sets the parameters of the network. `output` is the run folder to create. `resume` is the folder
    of a run to continue; the spec may then be left out. `resume=True` continues the run in `output`
    (or in `runs/NAME`) if there is one, and starts it if not. `device` is auto, cpu, cuda, cuda:1
    or mps. `find_lr` finds the learning rate by a range test first, and trains with it: see the
    function `find_lr`.

    Progress is shown on standard error: live on a terminal, otherwise one line for each epoch.
    `quiet` turns it off. `callback` is one `dotcnn.Callback` of your own, or several: they are told
    what happens, and may end training after an epoch. One that raises an exception ends the run,
    which is saved, and can be resumed. `tags` and `note` are kept with the run, for `cnn runs`.

    Raises SpecError for a mistake in the spec, the data or the run folder, and if training
    diverges.
    """
    _give(plugins)
    from .training.request import overrides_of, request
    from .training.runs.tags_and_note import checked_notes
    from .training.saved_request import request_of
    from .training.trainer.train import train as run

    notes = checked_notes(tags, note)
    changes = overrides_of({**(parameters or {}), **(set or {})}, epochs)
    arrays_or_text = _data(data)
    with _arguments_of("train", epochs=epochs is not None):
        if spec is None:
            run_folder = output if resume is True else resume
            if not run_folder:
                raise TypeError("train() needs a spec, or a run to resume")
            resume, output = Path(run_folder), None
            training_request = request_of(resume, changes, arrays_or_text)
        else:
            training_request = request(
                _source(spec), set=changes, data=arrays_or_text, network=network, input=input
            )
    own = _own_callbacks(callback)
    display = _display(training_request, quiet)
    if training_request.warnings:
        from .dsl.render import render_text

        display.note(render_text(training_request.warnings))
    return run(
        training_request,
        __version__,
        output=None if output is None else Path(output),
        resume=Path(resume) if isinstance(resume, str) else resume,
        device=device,
        callback=display,
        find_lr=find_lr,
        own=own,
        notes=notes,
    )


def find_lr(
    spec: str | Path | Network,
    *,
    data: object = None,
    set: Mapping[str, object] | None = None,
    device: str = "auto",
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    network: str | None = None,
    plugins: Plugins = (),
) -> FoundRate:
    """Find a learning rate by a range test: 100 steps at rising rates, until the loss explodes.

        found = dotcnn.find_lr("net.cnn", set={"train.optimizer": "sgd momentum=0.9"})
        found.lr, found.reason, found.rates, found.losses

    The steps are those of the spec: its optimizer, batch, augmentation and precision. Nothing is
    written, and the weights are thrown away. If the curve suggests no rate, `found.found` is False
    and `lr` that of the spec. `train(…, find_lr=True)` does the same, and trains with the rate.
    The arguments are those of `train`.
    """
    _give(plugins)
    from .training.request import overrides_of, request
    from .training.trainer.train import range_test

    with _arguments_of("find_lr"):
        tested = request(
            _source(spec),
            set=overrides_of({**(parameters or {}), **(set or {})}),
            data=_data(data),
            network=network,
            input=input,
        )
    return range_test(tested, __version__, device=device)


def evaluate(
    run: str | Path,
    *,
    weights: str | Path | None = None,
    data: object = None,
    part: str = "val",
    tta: bool = False,
    device: str = "auto",
    plugins: Plugins = (),
) -> Outcome:
    """Evaluate a trained network: metrics, figures for each class, the confusion matrix.

        outcome = dotcnn.evaluate("runs/net", data=(images, labels), part="all")
        outcome.metrics["top1"], outcome.per_class, outcome.confusion, outcome.answers

    `run` is the folder of a run or, with `weights`, a spec. `data` is given as for `train`; the
    default is the data of the run. `part` is val, test, train or all. `tta` averages the
    predictions over the views that `tta` in the spec names. Raises SpecError if the run or the data
    cannot be used.
    """
    _give(plugins)
    from .training.inference.evaluate import tta_of
    from .training.inference.out_of_fold import assess_each
    from .training.inference.trained_model import open_run, open_weights
    from .training.runtime.devices import find_device

    where, given = find_device(device), _data(data)
    if weights is None:
        model = open_run(Path(run), __version__, device=where, data=given)
    else:
        model = open_weights(_source(run), Path(weights), __version__, device=where, data=given)
    outcome, _ = assess_each(model, part, tta=tta_of(model.plan) if tta else None)
    return outcome


def predict(
    run: str | Path,
    images: Any,
    *,
    top: int = 5,
    tta: bool = False,
    device: str = "auto",
    plugins: Plugins = (),
) -> list[Prediction]:
    """Classify images: the classes of each image with their probabilities, most probable first.
    Where an image may have several classes, `present` are those that it has, by the thresholds that
    training chose. Or, with a network that answers for each pixel, the mask of each image; with one
    that learned numbers, the numbers of each image, in the units of the data.

        for prediction in dotcnn.predict("runs/net", ["a.jpg", "b.jpg"]):
            print(prediction.image, prediction.guesses[0].name, prediction.guesses[0].probability)

        mask = dotcnn.predict("runs/unet", "a.jpg")[0].mask     # class numbers, the image's size
        age = dotcnn.predict("runs/faces", "a.jpg")[0].numbers[0].value

    `images` is an image or a list of images. An image is a path, the bytes of a file, a Pillow
    image, or an array (NumPy or torch) of H x W, H x W x C or C x H x W with integers from 0 to 255
    or floats from 0 to 1; an array of four dimensions is a batch of images. A network that takes
    series or scans gets paths (.wav, .npy, .npz, .csv) or arrays. All are preprocessed as they were
    for training. A network with several inputs gets a dict with an image for each, by its name:
    `{"left": "a.jpg", "right": "b.jpg"}`, or a list of such. If an image cannot be used, its
    prediction has no guesses, no mask and no numbers, and `reason` says why. A prediction with a
    mask has no guesses, but `shares`: how many pixels each class has. Raises SpecError if the run
    cannot be used.
    """
    _give(plugins)
    from .training.inference.evaluate import tta_of
    from .training.inference.predict import named_images
    from .training.inference.predict import predict as predictions
    from .training.inference.trained_model import open_run
    from .training.runtime.devices import find_device

    model = open_run(Path(run), __version__, device=find_device(device))
    views = tta_of(model.plan) if tta else None
    preparation = model.preparation
    if preparation is not None and preparation.inputs:
        from .training.inference.given_inputs import samples_passed

        return list(predictions(model, samples_passed(images, preparation), top=top, tta=views))
    shape = preparation.sample if preparation is not None else ()
    return list(predictions(model, named_images(images, shape), top=top, tta=views))


# ---- reading arguments -----------------------------------------------------------------------


def _give(plugins: Plugins) -> None:
    """Loads plug-ins that a call names; a spec that has words of them says `use`."""
    if plugins:
        from .compiler.extend.load_plugin import give

        give([plugins] if isinstance(plugins, (str, Path)) else plugins)


def _source(spec: str | Path | Network) -> Source:
    from .compiler.network import Network
    from .dsl.gallery import open_spec
    from .dsl.source import Source

    if isinstance(spec, Network):
        return spec.program.main.source
    if isinstance(spec, str) and "{" in spec:
        return Source("<text>", spec)
    return open_spec(spec)


def _is_run(spec: object) -> bool:
    """Whether `spec` names a folder. A damaged run counts, so that the error can describe it."""
    try:
        return isinstance(spec, (str, Path)) and "{" not in str(spec) and Path(spec).is_dir()
    except OSError:  # not a valid file name
        return False


def _request_of_run(run: object, parameters: Mapping[str, object] | None) -> Request:
    from .training.request import overrides_of
    from .training.saved_request import request_of

    return request_of(Path(str(run)), overrides_of(parameters or {}))


def _module_of_run(run: object, parameters: Mapping[str, object] | None) -> nn.Module:
    import torch

    from .training.inference.trained_model import open_run
    from .training.request import overrides_of

    model: TrainedModel = open_run(
        Path(str(run)), __version__, device=torch.device("cpu"), set=overrides_of(parameters or {})
    )
    return model.module


def _must_be_alone(what: str, **arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise TypeError(f"{what} has its own `{name}`: it cannot be given")


@contextmanager
def _arguments_of(function: str, *, epochs: bool = False) -> Iterator[None]:
    """Errors name the arguments of a Python function, `train(epochs=…)`, in place of the options of
    the command line, `--set`. With `epochs`, that is an argument of its own.
    """
    from dataclasses import replace

    from .dsl.diagnostics import SpecError
    from .dsl.source import Source, Span

    def renamed(diagnostic: Diagnostic) -> Diagnostic:
        span = diagnostic.span
        if span is None or span.source.name not in ("--set", "--data"):
            return diagnostic
        text = span.source.text
        argument = span.source.name.lstrip("-")
        if argument == "set" and epochs and text.startswith("epochs "):
            argument = "epochs"
        source = Source(f"{function}({argument}=…)", text)
        edits = tuple(
            edit._replace(span=Span(source, edit.span.start, edit.span.end))
            for edit in diagnostic.edits
            if edit.span.source.name == span.source.name
        )
        return replace(diagnostic, span=Span(source, span.start, span.end), edits=edits)

    try:
        yield
    except SpecError as error:
        raise SpecError([renamed(diagnostic) for diagnostic in error.diagnostics]) from None


def _data(data: object) -> Any:
    """`data` as text in the form of `--data`, or as arrays; None if nothing is given."""
    if data is None or isinstance(data, (str, Path)):
        return None if data is None else str(data)
    from .training.data.sources.arrays_given import ArrayData

    return ArrayData.of(data)


def _own_callbacks(callback: object) -> list[Callback]:
    """The caller's callbacks; raises TypeError for what is not one."""
    from .training.trainer.callbacks import Callback

    each = [callback] if isinstance(callback, (Callback, type)) else callback or ()
    if not isinstance(each, Iterable):
        raise TypeError(f"a callback is a dotcnn.Callback, not {callback!r}")
    callbacks = list(each)
    for one in callbacks:
        if isinstance(one, type) and issubclass(one, Callback):
            raise TypeError(f"{one.__name__} is a class; a callback is one of its objects:"
                            f" {one.__name__}()")  # fmt: skip
        if not isinstance(one, Callback):
            raise TypeError(f"a callback is a dotcnn.Callback, not {one!r}")
    return callbacks


def _display(request: Request, quiet: bool) -> Callback:
    """The progress display, unless `quiet`, and the loggers that `log` asks for."""
    import sys

    from .training.display.choose import callback_for
    from .training.loggers.open_loggers import loggers_of
    from .training.trainer.combined import Combined

    if quiet:
        return Combined(loggers_of(request.plan, request.base))
    return callback_for(sys.stderr, color=sys.stderr.isatty(), request=request)
