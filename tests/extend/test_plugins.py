"""Plug-ins: how they come in, what a spec may say of them, what a run keeps, and what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import dotcnn
from dotcnn.cli import main
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.emit.allowed import NotAllowed, check
from dotcnn.compiler.extend.load_plugin import find, forget, give, load_file, loaded
from dotcnn.compiler.language.vocabulary import layer_words
from dotcnn.compiler.load_spec import load
from dotcnn.compiler.ops import REGISTRY
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.source import Source
from support import ROOT

from ..training.small import Looker, equal, last

EXAMPLE = ROOT / "docs" / "guide" / "plugins"

POWER = """\
from dotcnn.plugins import Kept, Layer, Pointwise, TorchText, call_text, number

class Power(Pointwise, Layer):
    '''A power of each number.'''

    word = "power"
    kind = "activation"
    to: float = number("exponent", {to})

    def kept(self, output, *inputs):
        return Kept(inputs=(0,))

    def torch(self, output, *inputs):
        return TorchText(call=call_text("{{0}} ** {{to}}", to=self.to))
"""

NET = """\
use "{name}"
network N {{
  input 1x8x8
  conv 8 3x3 same
  power
  pool avg global, flatten
  fc 10
}}
"""


@pytest.fixture(autouse=True)
def not_imported() -> Iterator[None]:
    """The installed plug-in of one test is not that of another folder."""
    yield
    sys.modules.pop("mine", None)


def plugin(folder: Path, text: str = POWER.format(to=2.0), name: str = "powers") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return file


def mistakes(text: str) -> list[Diagnostic]:
    return [each for each in dotcnn.check(text) if each.severity == "error"]


# ---- what a spec says ------------------------------------------------------------------------


def test_without_its_plugin_a_spec_says_what_is_missing_and_how_it_is_given() -> None:
    (wrong,) = mistakes(NET.format(name="powers"))
    assert wrong.code == "missing-plugin"
    assert wrong.span is not None
    assert wrong.span.text == '"powers"'
    assert "--plugin powers.py" in wrong.help


def test_a_file_beside_a_spec_is_not_executed(tmp_path: Path) -> None:
    plugin(tmp_path, "raise AssertionError('executed')\n", "mine")
    (tmp_path / "net.cnn").write_text(NET.format(name="mine"))
    (wrong,) = dotcnn.check(tmp_path / "net.cnn")
    assert wrong.code == "missing-plugin"
    assert "mine" not in sys.modules


def test_given_in_python_it_has_its_words(tmp_path: Path) -> None:
    network = dotcnn.compile(NET.format(name="powers"), plugins=[plugin(tmp_path)])
    assert network.by_name["power"].shape == (8, 8, 8)
    assert "** 2.0" in dotcnn.emit(network)


def test_its_words_are_those_of_specs_that_use_it(tmp_path: Path) -> None:
    give([plugin(tmp_path)])
    text = NET.format(name="powers")
    assert mistakes(text) == []
    (wrong,) = mistakes(text.replace('use "powers"\n', ""))
    assert wrong.code == "unknown-layer"
    assert "power" not in REGISTRY
    assert "power" not in layer_words()


def test_two_specs_with_plugins_of_the_same_word_do_not_disturb_one_another(tmp_path: Path) -> None:
    give([plugin(tmp_path), plugin(tmp_path, POWER.format(to=3.0), "cubes")])
    first = elaborate(load(Source("a.cnn", NET.format(name="powers"))))
    second = elaborate(load(Source("b.cnn", NET.format(name="cubes"))))
    assert first.by_name["power"].op.to == 2.0  # type: ignore[attr-defined]
    assert second.by_name["power"].op.to == 3.0  # type: ignore[attr-defined]
    assert "** 2.0" in dotcnn.emit(first)


def test_two_plugins_of_one_spec_with_the_same_word_are_both_named(tmp_path: Path) -> None:
    give([plugin(tmp_path), plugin(tmp_path, POWER.format(to=3.0), "cubes")])
    (wrong,) = mistakes('use "powers"\n' + NET.format(name="cubes"))
    assert wrong.code == "plugin-word"
    assert wrong.span is not None
    assert Path(wrong.span.source.name).name == "cubes.py"
    assert wrong.span.line == 6
    assert Path(wrong.labels[0].span.source.name).name == "powers.py"


def test_each_file_uses_what_it_has_words_of(tmp_path: Path) -> None:
    give([plugin(tmp_path)])
    (tmp_path / "blocks.cnn").write_text("block part() {\n  power\n}\n")
    main = tmp_path / "net.cnn"
    text = NET.format(name="powers").replace("  power\n", "  part\n")
    main.write_text('import "blocks.cnn"\n' + text)
    (wrong,) = (each for each in dotcnn.check(main) if each.severity == "error")
    assert wrong.code == "unknown-layer"
    assert 'use "powers"' in wrong.help
    assert "blocks.cnn" in wrong.help
    (tmp_path / "blocks.cnn").write_text('use "powers"\nblock part() {\n  power\n}\n')
    main.write_text('import "blocks.cnn"\n' + text.replace('use "powers"\n', ""))
    assert [each for each in dotcnn.check(main) if each.severity == "error"] == []


def test_a_block_cannot_have_the_name_of_a_layer_of_a_plugin(tmp_path: Path) -> None:
    give([plugin(tmp_path)])
    wrong = mistakes(NET.format(name="powers") + "block power() { relu }\n")
    assert [each.code for each in wrong] == ["taken-name"]
    assert "powers" in wrong[0].message


# ---- files -----------------------------------------------------------------------------------


BROKEN = {
    "raises": ("import json\n1 / 0\n", "plugin-error", 2),
    "syntax": ("x = 1\ny = (\n", "plugin-error", 2),
    "exits": ("raise SystemExit(1)\n", "plugin-error", 1),
    "newer": ('x = 1\nDOTCNN = "99.1"\nfrom dotcnn.plugins import Later\n', "plugin-version", 2),
    "older": ("from dotcnn.plugins import Gone\n", "plugin-error", 1),
    "taken": (POWER.format(to=1).replace('"power"', '"relu"'), "plugin-word", 6),
    "strange": (POWER.format(to=1).replace('"power"', '"My Power"'), "plugin-word", 6),
    "twice": (POWER.format(to=1) + "class Q(Power):\n    word = 'power'\n", "plugin-word", 16),
    "incomplete": (POWER.format(to=1).replace("def kept", "def kapt"), "plugin-incomplete", 6),
    "no_kind": (POWER.format(to=1).replace("    kind =", "    other ="), "plugin-incomplete", 6),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_a_plugin_is_told_at_its_line(name: str, tmp_path: Path) -> None:
    text, code, line = BROKEN[name]
    with pytest.raises(SpecError) as error:
        load_file(plugin(tmp_path, text, name))
    (wrong,) = error.value.diagnostics
    assert wrong.code == code
    assert wrong.span is not None
    assert Path(wrong.span.source.name).name == f"{name}.py"
    assert wrong.span.line == line
    assert name not in sys.modules
    assert name not in loaded()


def test_files_that_cannot_be_plugins(tmp_path: Path) -> None:
    for file, code in (
        (plugin(tmp_path, name="json"), "plugin-file"),
        (plugin(tmp_path, name="my-layers"), "plugin-file"),
        (plugin(tmp_path, "x = 1\n", "nothing"), "plugin-empty"),
        (tmp_path, "plugin-file"),
        (tmp_path / "gone.py", "no-such-file"),
    ):
        with pytest.raises(SpecError) as error:
            load_file(file)
        assert [each.code for each in error.value.diagnostics] == [code], file


def test_a_changed_file_is_loaded_again(tmp_path: Path) -> None:
    text = NET.format(name="powers")
    first = dotcnn.load(text, plugins=[plugin(tmp_path)])
    second = dotcnn.load(text, plugins=[plugin(tmp_path, POWER.format(to=3.0))])
    assert type(first) is not type(second)


def test_an_error_in_its_code_is_told_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plugin(tmp_path, POWER.format(to=2).replace("return Kept(", "return [][1], Kept("))
    (tmp_path / "net.cnn").write_text(NET.format(name="powers"))
    assert main(["report", "net.cnn", "--plugin", "powers.py"]) == 1
    said = capsys.readouterr().err
    assert "powers.py:11" in said
    assert "IndexError" in said
    assert "Traceback" not in said


# ---- of several files ------------------------------------------------------------------------


def package(folder: Path, layers: str = POWER.format(to=2.0)) -> Path:
    """`powers/`, whose layer is in a file of its own."""
    place = folder / "powers"
    (place / "inner").mkdir(parents=True, exist_ok=True)
    (place / "__init__.py").write_text("from .inner.layers import Power\n")
    (place / "inner" / "layers.py").write_text(layers, encoding="utf-8")
    return place


def test_a_folder_is_a_plugin_of_several_files(tmp_path: Path) -> None:
    place = package(tmp_path)
    text = NET.format(name="powers")
    assert "** 2.0" in dotcnn.emit(text, plugins=[place])
    found = find("powers")
    assert found is not None
    assert found.identity.file == "powers/"
    assert sorted(found.texts()) == ["powers/__init__.py", "powers/inner/layers.py"]
    span = found.place_of(found.layers["power"])
    assert (Path(span.source.name).name, span.line) == ("layers.py", 6)
    # A change of any file counts, and the folder may be named by its `__init__.py`.
    package(tmp_path, POWER.format(to=3.0))
    assert "** 3.0" in dotcnn.emit(text, plugins=[place / "__init__.py"])
    forget()
    assert not [name for name in sys.modules if name.partition(".")[0] == "powers"]


def test_emitted_text_imports_from_the_module_of_the_layer(tmp_path: Path) -> None:
    layers = POWER.format(to=2.0).replace("TorchText(", "TorchText(imports=('raised',), ")
    layers = layers.replace('"{0} ** {to}"', '"raised({0}, {to})"')
    place = package(tmp_path, layers + "\ndef raised(x, to):\n    return x**to\n")
    text = NET.format(name="powers")
    assert "from powers.inner.layers import raised" in dotcnn.emit(text, plugins=[place])
    assert dotcnn.load(text, plugins=[place]) is not None


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("x = (1\n", "plugin-error", 1),
        ("\nimport nothing_of_this_name\n", "plugin-error", 2),
        (POWER.format(to=1).replace('"power"', '"relu"'), "plugin-word", 6),
    ],
)
def test_what_is_wrong_in_another_file_is_told_there(
    tmp_path: Path, text: str, code: str, line: int
) -> None:
    with pytest.raises(SpecError) as error:
        load_file(package(tmp_path, text))
    (wrong,) = error.value.diagnostics
    assert wrong.code == code
    assert wrong.span is not None
    assert Path(wrong.span.source.name).parts[-3:] == ("powers", "inner", "layers.py")
    assert wrong.span.line == line
    assert "powers.inner.layers" not in sys.modules


def test_a_package_that_imports_nothing_of_its_files(tmp_path: Path) -> None:
    place = package(tmp_path)
    (place / "__init__.py").write_text("")
    with pytest.raises(SpecError) as error:
        load_file(place)
    assert "`from .layers import …`" in error.value.diagnostics[0].help


def test_a_file_that_imports_its_neighbor_is_told_to_be_a_folder(tmp_path: Path) -> None:
    plugin(tmp_path, "x = 1\n", "neighbor_of_it")
    with pytest.raises(SpecError) as error:
        load_file(plugin(tmp_path, "import neighbor_of_it\n", "mine"))
    assert "a folder with `__init__.py`" in error.value.diagnostics[0].help


# ---- installed ones --------------------------------------------------------------------------


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "cnn-mine") -> None:
    """The package of the guide, as pip installs it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text((EXAMPLE / "mine.py").read_text("utf-8"), encoding="utf-8")
    info = folder / f"{name.replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(metadata)
    entries = project["entry-points"]["dotcnn.plugins"]
    lines = [f"{key} = {value}" for key, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[dotcnn.plugins]", *lines, ""]))
    monkeypatch.syspath_prepend(str(folder))


INVOLVED = 'use "mine"\nnetwork N { input 8x6x6, inv 3 groups=2, flatten, fc 10 }\n'


def test_an_installed_plugin_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path / "site", monkeypatch)
    assert dotcnn.compile("network N { input 1x8x8, flatten, fc 10 }")
    assert "mine" not in sys.modules, "imported without a spec that uses it"
    assert mistakes(INVOLVED) == []
    found = find("mine")
    assert found is not None
    assert (found.distribution, found.identity.version) == ("cnn-mine", "1.0")
    assert "from mine import Involution" in dotcnn.emit(INVOLVED)


def test_two_packages_with_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path / "site", monkeypatch)
    installed(tmp_path / "other", monkeypatch, "cnn-others")
    (wrong,) = mistakes(INVOLVED)
    assert wrong.code == "plugin-twice"
    assert "cnn-mine and cnn-others" in wrong.message


def test_specs_without_plugins_do_not_look_for_installed_ones() -> None:
    script = (
        "import sys, dotcnn; from dotcnn.cli import main; main(['check', 'resnet18']);"
        "assert 'importlib.metadata' not in sys.modules;"
        "assert 'dotcnn.compiler.extend.load_plugin' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_checking_with_a_plugin_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "net.cnn").write_text(INVOLVED)
    words = ["report", str(tmp_path / "net.cnn"), "--plugin", str(EXAMPLE / "mine.py")]
    script = (
        f"import sys; from dotcnn.cli import main; assert main({words!r}) == 0;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


# ---- emitted text ----------------------------------------------------------------------------


def test_emitted_text_may_import_exactly_what_the_layer_names() -> None:
    give([EXAMPLE / "mine.py"])
    text = dotcnn.emit(INVOLVED)
    check(text, ["from mine import Involution"])
    with pytest.raises(NotAllowed):
        check(text)
    with pytest.raises(NotAllowed):
        check(
            text.replace("import Involution", "import Involution, os"),
            ["from mine import Involution"],
        )
    with pytest.raises(NotAllowed):
        check(text.replace("from mine", "from yours"), ["from mine import Involution"])


def test_a_block_may_have_the_name_of_what_is_imported() -> None:
    give([EXAMPLE / "mine.py"])
    text = 'use "mine"\nblock Involution() { inv 3 }\n'
    text += "network N { input 8x6x6, repeat 2 { Involution }, flatten, fc 10 }\n"
    module = dotcnn.load(text)
    assert len([name for name, _ in module.named_modules() if name.endswith("inv")]) == 2


# ---- training --------------------------------------------------------------------------------


TRAINED = """\
use "mine"
network N {
  input 1x8x8
  conv 8 3x3 same, relu
  inv 3 groups=2, relu
  pool avg global, flatten
  fc classes
}
train {
  data digits
  epochs 2
  batch 256
  loss poly
  metrics loss top1 mcc
  checkpoint metric=mcc
  early_stop 1 metric=mcc
}
augment { levels most=12 p=50% }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "net"
    dotcnn.train(TRAINED, plugins=[EXAMPLE / "mine.py"], output=folder, quiet=True)
    forget()
    return folder


def test_a_run_is_trained_with_words_of_a_plugin_and_records_it(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert all("mcc" in json.loads(line)["val"] for line in lines)
    plan = json.loads((run / "plan.json").read_text())
    assert plan["train"]["loss"]["is"] == "loss poly"
    (recorded,) = plan["plugins"]
    assert (recorded["name"], recorded["version"], recorded["file"]) == ("mine", "1.0", "mine.py")
    assert (run / "plugins" / "mine.py").read_bytes() == (EXAMPLE / "mine.py").read_bytes()


def test_a_run_needs_its_plugin_again_and_never_takes_its_own_copy(run: Path) -> None:
    with pytest.raises(SpecError, match="missing-plugin") as error:
        dotcnn.evaluate(run)
    assert str(run / "plugins" / "mine.py") in error.value.diagnostics[0].notes[0]
    assert "mine" not in sys.modules
    outcome = dotcnn.evaluate(run, plugins=[EXAMPLE / "mine.py"])
    last = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert outcome.metrics["mcc"] == pytest.approx(max(each["val"]["mcc"] for each in last))


def test_another_file_of_that_name_is_told(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (EXAMPLE / "mine.py").read_text("utf-8").replace('"1.0"', '"1.1"')
    dotcnn.load(run, plugins=[plugin(tmp_path, text, "mine")])
    said = capsys.readouterr().err
    assert "made with another plug-in: mine 1.0" in said
    assert "now it is mine 1.1" in said


def test_resuming_and_exporting_with_the_plugin(run: Path, tmp_path: Path) -> None:
    given: Any = {"plugins": [EXAMPLE / "mine.py"]}
    resumed = dotcnn.train(resume=run, epochs=3, quiet=True, **given)
    assert resumed.metrics["mcc"] == pytest.approx(resumed.metrics["mcc"])
    assert dotcnn.predict(run, [[[0] * 8] * 8], **given)[0] is not None


OPTIMIZER = """\
from dotcnn.plugins import Optimizer, Schedule, decay, learning_rate

class Nadam(Optimizer):
    \'\'\'Adam with Nesterov momentum.\'\'\'

    word = "optimizer nadam"
    state = 2
    lr: float = learning_rate(2e-3)
    weight_decay: float = decay()

    def make_optimizer(self, groups):
        import torch
        return torch.optim.NAdam(groups)

class Root(Schedule):
    word = "schedule root"

    def share_of_rate(self, done, epoch):
        return (1 - done) ** 0.5
"""


def test_an_optimizer_and_a_schedule_of_a_plugin_train_and_go_on(tmp_path: Path) -> None:
    text = """\
use "faster"
network N { input 1x8x8, conv 4 3x3 stride=2, relu, flatten, fc classes }
train { data digits, epochs 2, batch 256, optimizer nadam lr=0.01, schedule root warmup=1 }
"""
    given: Any = {"plugins": [plugin(tmp_path, OPTIMIZER, "faster")], "quiet": True}
    whole = dotcnn.train(text, output=tmp_path / "whole", **given)
    lines = (whole.folder / "metrics.jsonl").read_text().splitlines()
    rates = [json.loads(line)["lr"] for line in lines[1:]]
    assert rates == pytest.approx([0.01, 0.01 * (1 / 6) ** 0.5])
    stopped = dotcnn.train(text, output=tmp_path / "run", callback=Looker(9), **given)
    assert stopped.interrupted
    again = dotcnn.train(resume=tmp_path / "run", **given)
    assert equal(last(again.folder), last(whole.folder))


WOBBLE = """\
from dotcnn.plugins import Augmentation

class Reversed(Augmentation):
    word = "reversed"
    samples = ("series",)
    draws = 0

    def change(self, images, drawn):
        return images.flip(-1)

    def change_masks(self, masks, drawn):
        return masks.flip(-1)
"""


def test_an_augmentation_of_series_changes_them_and_their_masks(tmp_path: Path) -> None:
    from dotcnn.training.augment.own_change import OwnSeriesChange
    from dotcnn.training.augment.registry import Resources

    given: Any = {"plugins": [plugin(tmp_path, WOBBLE, "wobbling")]}
    text = """\
use "wobbling"
network N { let c = 2\n input (c, 8), conv 4 3 same, relu, pool avg global, flatten, fc 2 }
train { data npz "series.npz", epochs 1 }
augment { reversed }
"""
    assert dotcnn.check(text, **given) == []
    images = text.replace("let c = 2\n input (c, 8), conv 4 3", "input 1x8x8, conv 4 3x3")
    (wrong,) = [each for each in dotcnn.check(images, **given) if each.severity == "error"]
    assert wrong.message == "`reversed` works on series, and samples are images"
    numbers = torch.randn(20, 2, 8).numpy()
    np.savez(tmp_path / "series.npz", x=numbers, y=[0, 1] * 10)
    (tmp_path / "net.cnn").write_text(text)
    result = dotcnn.train(tmp_path / "net.cnn", output=tmp_path / "run", quiet=True, **given)
    assert result.reason == "done"
    found = find("wobbling")
    assert found is not None
    step: Any = SimpleNamespace(number=0)
    resources = Resources.of(0, (torch.ones(2), torch.zeros(2)))
    kind: Any = found.directives["augment"]["reversed"]
    change = OwnSeriesChange(kind(), step, resources)
    series, masks = torch.randn(3, 2, 8), torch.randint(3, (3, 8)).to(torch.uint8)
    assert change(series, torch.zeros(1, 3)).equal(series.flip(-1))
    assert change.masks(masks, torch.zeros(1, 3)).equal(masks.flip(-1))


CALLBACK = """\
from dotcnn.plugins import Callback

class Notes(Callback):
    \'\'\'Keeps the accuracy of each epoch.\'\'\'

    word = "notes"
    kept = []

    def epoch(self, record):
        Notes.kept.append(record.val["top1"])
"""


def test_a_callback_is_named_by_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """\
use "noting"
network N { input 1x8x8, flatten, fc classes }
train { data digits, epochs 2, batch 512, log notes csv }
"""
    file = plugin(tmp_path, CALLBACK, "noting")
    dotcnn.train(text, plugins=[file], output=tmp_path / "run", quiet=True)
    assert len(loaded()["noting"].module.Notes.kept) == 2
    assert (tmp_path / "run" / "metrics.csv").is_file()
    assert main(["help", "notes", "--plugin", str(file)]) == 0
    assert capsys.readouterr().out.startswith("notes: a callback")
    (wrong,) = mistakes(text.replace('use "noting"\n', ""))
    assert wrong.code == "argument"


# ---- help and editors ------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["inv", "loss poly", "mcc", "levels"])
def test_help_explains_its_words(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", *word.split(), "--plugin", str(EXAMPLE / "mine.py")]) == 0
    assert capsys.readouterr().out.startswith(f"{word}: ")


def test_the_language_server_knows_its_words() -> None:
    lsp = pytest.importorskip("lsprotocol.types")
    from dotcnn.editor.server.completion import completion
    from dotcnn.editor.server.document import Document

    give([EXAMPLE / "mine.py"])
    text = 'use "mine"\nnetwork N {\n  input 8x6x6\n  in\n}\n'
    document = Document("file:///net.cnn", text)
    with document.words():
        items = completion(document, lsp.Position(3, 4)).items
    assert "inv" in {item.label for item in items}
    document = Document("file:///net.cnn", 'use "')
    assert "mine" in {item.label for item in completion(document, lsp.Position(0, 5)).items}
