"""The arguments of every command: their names, what they take, what they are for.

What a command does is in `cli.py`; here is only how it is called.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from ..shapes import Shape

    _Commands = argparse._SubParsersAction["_Parser"]

Run = Callable[[argparse.Namespace], int]
"""A command: returns its exit code."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message and "choose from" in message:
            import difflib
            import re

            wrong, *choices = re.findall(r"'([^']*)'", message)
            close = difflib.get_close_matches(wrong, choices, n=1)
            if close:
                message += f"\ndid you mean `{close[0]}`?"
        super().error(message)


def parser(runs: Mapping[str, Run], version: str) -> argparse.ArgumentParser:
    """Of the whole program; `runs` are its commands, by name."""
    whole = _Parser(
        prog="cnn",
        description="Describe, check and format convolutional networks.",
        epilog="`cnn COMMAND --help` explains a command, with an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"cnn {version}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)

    for name, run in runs.items():
        _COMMANDS[name](commands, run)
    return whole


_FILES = "a .cnn file, a folder of them, the name of one in the gallery, or - for standard input"
_FILE = "a .cnn file, the name of one in the gallery, or - for standard input"


def _command(
    commands: _Commands,
    run: Run,
    name: str,
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--color",
        choices=["auto", "always", "never"],
        default="auto",
        help="colours: on a terminal (auto), always or never; NO_COLOR is honoured",
    )
    parser.set_defaults(command=run)
    return parser


# ---- values ----------------------------------------------------------------------------------


def _natural(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return read


def _shape(text: str) -> Shape:
    sizes = text.lower().split("x")
    if len(sizes) not in (1, 3) or not all(s.isdecimal() and int(s) > 0 for s in sizes):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no input: write channels x height x width, like 3x160x160"
        )
    return tuple(map(int, sizes))


def _override(text: str) -> tuple[str, object]:
    from ..language.overrides import OverrideError, read_override

    try:
        return read_override(text)
    except OverrideError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _memory_size(text: str) -> int:
    from .figures import SizeError, read_data_size

    try:
        return read_data_size(text)
    except SizeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    """What a spec's network is made with."""
    parser.add_argument("--input", type=_shape, metavar="CxHxW", help="another input: 3x160x160")
    parser.add_argument(
        "--set",
        type=_override,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the network, or of a section like train.epochs, its value written as"
        " in a spec; may be repeated",
    )
    parser.add_argument("--network", metavar="NAME", help="which network of the file (the last)")
    parser.add_argument(
        "--max-layers",
        type=_natural(1),
        metavar="N",
        help="refuse what comes to more layers (default: 200,000)",
    )


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    """What memory is worked out for."""
    batch = "images in a batch, for memory; all else is for one image (default: 1)"
    parser.add_argument("--batch", type=_natural(1), default=1, metavar="N", help=batch)
    parser.add_argument(
        "--precision",
        choices=["fp32", "bf16", "fp16"],
        default="fp32",
        help="of training, for memory (default: fp32)",
    )
    optimizers = ["sgd", "momentum", "rmsprop", "adam", "adamw"]
    parser.add_argument(
        "--optimizer",
        choices=optimizers,
        default="sgd",
        help="its numbers need memory, too (default: sgd, without momentum)",
    )
    parser.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        default="cuda",
        help="where it is trained, for memory (default: cuda)",
    )


# ---- commands --------------------------------------------------------------------------------


def _check(commands: _Commands, run: Run) -> None:
    check = _command(
        commands,
        run,
        "check",
        "find mistakes in specs; silent when there are none",
        "cnn check net.cnn\n  cnn check specs/ --format json\n  cat net.cnn | cnn check -",
    )
    check.add_argument("files", nargs="+", metavar="FILE", help=_FILES)
    check.add_argument(
        "--format",
        choices=["text", "json", "sarif"],
        default="text",
        help="text for people, json and sarif for programs (default: text)",
    )


def _fmt(commands: _Commands, run: Run) -> None:
    fmt = _command(
        commands,
        run,
        "fmt",
        "lay specs out in the canonical way, keeping every comment",
        "cnn fmt net.cnn\n  cnn fmt specs/ --check\n  cnn fmt - < net.cnn",
    )
    fmt.add_argument("files", nargs="+", metavar="FILE", help=_FILES)
    fmt.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 where something would change"
    )
    fmt.add_argument(
        "--diff", action="store_true", help="change nothing; print what would change, exit 1 if any"
    )


def _report(commands: _Commands, run: Run) -> None:
    report = _command(
        commands,
        run,
        "report",
        "the layers of a network with what they cost, and the totals",
        "cnn report resnet50\n  cnn report net.cnn --depth 2 --batch 64\n"
        "  cnn report net.cnn --input 3x160x160 --set width=1.5 --format json\n"
        "  cnn report net.cnn --fit 24GB --precision bf16 --optimizer adamw",
    )
    report.add_argument("files", nargs="+", metavar="FILE", help=_FILES)
    _add_network_options(report)
    _add_training_options(report)
    report.add_argument(
        "--depth",
        type=_natural(1),
        metavar="N",
        help="take layers together whose names begin with the same N parts (layer1.0 is two)",
    )
    report.add_argument(
        "--format",
        choices=["table", "json", "csv", "markdown"],
        default="table",
        help="json and csv have every layer, whatever the depth (default: table)",
    )
    report.add_argument(
        "--fit",
        type=_memory_size,
        metavar="MEMORY",
        help="instead, the largest batch that can be trained on in so much memory: 24GB, 16GiB",
    )


def _explain(commands: _Commands, run: Run) -> None:
    explain = _command(
        commands,
        run,
        "explain",
        "the arithmetic of a layer, a part or the totals, written out; or a section's defaults",
        "cnn explain resnet50\n  cnn explain net.cnn layer1.0.conv2\n"
        "  cnn explain net.cnn layer1\n  cnn explain net.cnn 12\n"
        "  cnn explain net.cnn train --set train.optimizer.lr=0.1\n"
        "  cnn explain net.cnn transfer --data flowers",
    )
    explain.add_argument("file", metavar="FILE", help=_FILE)
    explain.add_argument(
        "layer",
        nargs="?",
        metavar="LAYER",
        help="a name as `cnn report` shows it, the beginning or end of one, or a line of the file;"
        " or train, augment, evaluate, transfer",
    )
    explain.add_argument(
        "--data",
        metavar="DATA",
        help="of a section: another source of images, as `cnn train` takes it",
    )
    _add_network_options(explain)
    _add_training_options(explain)


def _diff(commands: _Commands, run: Run) -> None:
    diff = _command(
        commands,
        run,
        "diff",
        "two networks side by side: which layers differ, and what that costs",
        "cnn diff resnet50.cnn mine.cnn\n  cnn diff resnet18 resnet50 --format json",
    )
    diff.add_argument("before", metavar="A", help=_FILE)
    diff.add_argument("after", metavar="B", help=_FILE)
    _add_network_options(diff)
    _add_training_options(diff)
    diff.add_argument("--format", choices=["table", "json"], default="table")


def _draw(commands: _Commands, run: Run) -> None:
    draw = _command(
        commands,
        run,
        "draw",
        "the network as a picture, repeated parts folded",
        "cnn draw resnet50 -o resnet50.svg\n  cnn draw net.cnn -o net.html --unfold\n"
        "  cnn draw net.cnn --format mermaid",
    )
    draw.add_argument("file", metavar="FILE", help=_FILE)
    draw.add_argument(
        "-o", "--output", metavar="OUT", help="where to; the format follows from its ending"
    )
    draw.add_argument(
        "--format",
        choices=["svg", "png", "dot", "mermaid", "html"],
        help="svg, png and html need `pip install dotcnn[draw]`; without -o, to standard output",
    )
    draw.add_argument("--unfold", action="store_true", help="draw every layer")
    draw.add_argument(
        "--depth", type=_natural(1), metavar="N", help="draw parts with longer names as one box"
    )
    _add_network_options(draw)
    draw.set_defaults(precision="fp32", optimizer="sgd", device="cuda")


def _emit(commands: _Commands, run: Run) -> None:
    emit = _command(
        commands,
        run,
        "emit",
        "the network as a torch module, as if written by hand",
        "cnn emit resnet50\n  cnn emit net.cnn -o net.py --main\n"
        "  cnn emit net.cnn --flat --set width=0.5",
    )
    emit.add_argument("file", metavar="FILE", help=_FILE)
    emit.add_argument(
        "-o", "--output", metavar="OUT", help="the file to write (default: standard output)"
    )
    emit.add_argument(
        "--flat", action="store_true", help="one class with a line for each layer, for teaching"
    )
    emit.add_argument(
        "--force", action="store_true", help="replace OUT even if `cnn emit` has not written it"
    )
    emit.add_argument(
        "--main", action="store_true", help="add a small check for whoever runs the file"
    )
    _add_network_options(emit)


def _export(commands: _Commands, run: Run) -> None:
    export = _command(
        commands,
        run,
        "export",
        "the network for others to run: ONNX, torch.export, or its weights as safetensors",
        "cnn export runs/net -o net.onnx\n"
        "  cnn export net.cnn --weights best.safetensors -o net.onnx\n"
        "  cnn export resnet18 -o resnet18.pt2 --fold\n"
        "  cnn export net.cnn --weights best.pt -o net.onnx --predict --batch 1\n"
        "  cnn export net.cnn --weights best.pt -o net.safetensors",
    )
    export.add_argument(
        "file", metavar="FILE", help=f"{_FILE}; or the folder of a run, for its best weights"
    )
    export.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="ends in .onnx, .pt2 or .safetensors; written once it has been read back, run, and"
        " found to compute the same",
    )
    export.add_argument(
        "--force", action="store_true", help="replace OUT even if `cnn export` has not written it"
    )
    export.add_argument(
        "--weights",
        metavar="FILE",
        help="safetensors, or what torch saves of a state dict (default: as the network begins)",
    )
    export.add_argument(
        "--fold", action="store_true", help="put batch norms into the convolutions before them"
    )
    export.add_argument(
        "--predict",
        action="store_true",
        help="probabilities, not logits, of a network that ends in softmax or sigmoid",
    )
    export.add_argument(
        "--batch", type=_natural(1), metavar="N", help="batches of N alone (default: of any size)"
    )
    export.add_argument(
        "--opset",
        type=_natural(1),
        metavar="N",
        help="of ONNX: an older one for an older runtime (default: the newest that torch writes)",
    )
    _add_network_options(export)


def _train(commands: _Commands, run: Run) -> None:
    train = _command(
        commands,
        run,
        "train",
        "train a network as its spec says; what comes of it goes into a folder",
        "cnn train digits\n  cnn train net.cnn --data flowers --set train.epochs=5\n"
        "  cnn train --resume runs/net",
    )
    train.add_argument(
        "file", nargs="?", metavar="FILE", help=f"{_FILE}; may be left out with --resume"
    )
    train.add_argument(
        "--data",
        metavar="DATA",
        help="another source of images: a folder, a .npz file, or what a `data` line says",
    )
    train.add_argument(
        "-o", "--output", metavar="RUN", help="the folder to make (default: runs/NAME)"
    )
    train.add_argument(
        "--resume", metavar="RUN", help="go on with a run that was stopped, in its folder"
    )
    train.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1, mps (default: auto)",
    )
    train.add_argument(
        "--devices",
        type=_natural(1),
        metavar="N",
        help="so many graphics cards of this computer, or processes, learn together",
    )
    _add_network_options(train)


def _evaluate(commands: _Commands, run: Run) -> None:
    evaluate = _command(
        commands,
        run,
        "evaluate",
        "how well a trained network does: metrics, confusions, classes",
        "cnn evaluate runs/net\n  cnn evaluate runs/net --data new_photos --part all\n"
        "  cnn evaluate resnet18 --weights best.safetensors --data flowers --format json\n"
        "  cnn evaluate runs/net --tta --report page.html",
    )
    evaluate.add_argument(
        "run", metavar="RUN", help="the folder of a run; with --weights, a spec as everywhere else"
    )
    evaluate.add_argument(
        "--weights", metavar="FILE", help="safetensors, or what torch saves of a state dict"
    )
    _add_use_options(evaluate)
    evaluate.add_argument(
        "--data",
        metavar="DATA",
        help="another source of images: a folder, a .npz file, or what a `data` line says",
    )
    evaluate.add_argument(
        "--part",
        choices=["val", "test", "train", "all"],
        default="val",
        help="which images: those for validation (val), for the test, for training, or all",
    )
    evaluate.add_argument("--format", choices=["table", "json"], default="table")
    evaluate.add_argument(
        "--report", metavar="PAGE", help="also write a page with curves, mistakes and the like"
    )
    _add_network_options(evaluate)


def _predict(commands: _Commands, run: Run) -> None:
    predict = _command(
        commands,
        run,
        "predict",
        "what a trained network takes images for",
        "cnn predict runs/net photo.jpg\n  cnn predict runs/net photos/ --top 1 --format json",
    )
    predict.add_argument("run", metavar="RUN", help="the folder of a run")
    predict.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a file, or a folder: all images in it"
    )
    predict.add_argument(
        "-n", "--top", type=_natural(1), default=5, metavar="N", help="classes of each (default: 5)"
    )
    _add_use_options(predict)
    predict.add_argument("--format", choices=["table", "json"], default="table")
    predict.add_argument(
        "--set",
        type=_override,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="something of a section said otherwise: evaluate.tta=flip",
    )


def _add_use_options(parser: argparse.ArgumentParser) -> None:
    """What trained networks are used with."""
    parser.add_argument(
        "--tta",
        action="store_true",
        help="look at each image several times, as `tta` of the spec says, and average the answers",
    )
    parser.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1 or mps (default: auto)",
    )


def _augment(commands: _Commands, run: Run) -> None:
    augment = _command(
        commands,
        run,
        "augment",
        "a sheet of training images: as they are, augmented, and after each directive alone",
        "cnn augment net.cnn -o sheet.png\n"
        "  cnn augment net.cnn --data flowers -o sheet.html --images 5\n"
        '  cnn augment net.cnn -o sheet.png --set augment="flip horizontal, rotate 20"',
    )
    augment.add_argument("file", metavar="FILE", help=_FILE)
    augment.add_argument(
        "-o", "--output", metavar="OUT", required=True, help="ends in .png or .html"
    )
    augment.add_argument(
        "--data",
        metavar="DATA",
        help="another source of images: a folder, a .npz file, or what a `data` line says",
    )
    augment.add_argument(
        "--images", type=_natural(1), default=8, metavar="N", help="how many (default: 8)"
    )
    augment.add_argument(
        "--epochs", type=_natural(1), default=6, metavar="N", help="of how many epochs (default: 6)"
    )
    _add_network_options(augment)


def _gallery(commands: _Commands, run: Run) -> None:
    gallery = _command(
        commands,
        run,
        "gallery",
        "the specs that come along, with parameters, multiply-adds, year and source",
        "cnn gallery\n  cnn gallery --format json",
    )
    gallery.add_argument("--format", choices=["table", "json"], default="table")


def _new(commands: _Commands, run: Run) -> None:
    new = _command(
        commands,
        run,
        "new",
        "start a spec: commented, with train and augment sections",
        "cnn new flowers\n  cnn new flowers --like resnet18",
    )
    new.add_argument("name", metavar="NAME", help="of the file, with or without .cnn")
    new.add_argument("--like", metavar="SPEC", help="begin with a copy: of the gallery, or a file")


_COMMANDS: dict[str, Callable[[_Commands, Run], None]] = {
    "new": _new,
    "check": _check,
    "fmt": _fmt,
    "report": _report,
    "explain": _explain,
    "diff": _diff,
    "draw": _draw,
    "emit": _emit,
    "export": _export,
    "augment": _augment,
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
    "gallery": _gallery,
}
