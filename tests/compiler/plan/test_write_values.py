"""Values of `--set`, written into the text of a spec."""

from __future__ import annotations

from pathlib import Path

import pytest

from dotcnn.compiler.plan.write_values import write_values
from dotcnn.compiler.spec_options import Options
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.files import read_file
from dotcnn.dsl.gallery import open_spec
from dotcnn.dsl.source import Source

TEN = Options(classes=10)
SPEC = """\
# A small network.

let rate = 0.1   # for everything

block part(n) { conv n 3x3 same, bn, relu }

network Net(width=16, deep=2, kinds=[1, 2]) {
  input 1x8x8
  repeat deep { part width }   # the body
  flatten
  fc classes
}

train {
  data digits
  epochs 3, batch 64           # short
  optimizer sgd lr=rate momentum=0.9 nesterov  # tuned
  # the end
}

augment { rotate 10, shift 1 }
"""


def written(*values: str, spec: str = SPEC, options: Options = TEN) -> str:
    return write_values(Source("net.cnn", spec), options, values)


@pytest.mark.parametrize(
    ("values", "before", "after"),
    [
        (["width=24"], "width=16", "width=24"),
        (["kinds=[3]", "deep=1"], "deep=2, kinds=[1, 2]", "deep=1, kinds=[3]"),
        (["train.optimizer.lr=0.0312345678"], "lr=rate", "lr=0.0312345678"),
        (["train.batch=32"], "batch 64", "batch 32"),
        (["train.epochs.count=4"], "epochs 3", "epochs 4"),
        (["train.optimizer.weight_decay=5e-4"], "nesterov  #", "nesterov weight_decay=5e-4  #"),
        (["train.optimizer.decay_all=on"], "nesterov  #", "nesterov decay_all=on  #"),
        (
            ["train.optimizer=adamw", "train.optimizer.lr=2e-3"],
            "sgd lr=rate momentum=0.9 nesterov  # tuned",
            "adamw lr=2e-3  # tuned",
        ),
        (
            ["train.optimizer.lr=9", "train.optimizer=sgd lr=0.2"],
            "lr=rate momentum=0.9 nesterov",
            "lr=0.2",
        ),
        (["augment.rotate=12.5"], "rotate 10", "rotate 12.5"),
        (["augment.erase.p=50%"], "shift 1 }", "shift 1, erase p=50% }"),
        (["augment=off"], "\n\naugment { rotate 10, shift 1 }\n", "\n"),
        (
            ["train.schedule.end=1e-5"],
            "# tuned\n",
            "# tuned\n  schedule cosine end=1e-5 warmup=5%\n",
        ),
        (["train.early_stop=off"], "# tuned\n", "# tuned\n  early_stop off\n"),
        (
            ["evaluate.tta=flip"],
            "shift 1 }\n",
            "shift 1 }\n\nevaluate {\n  tta flip\n}\n",
        ),
    ],
)
def test_edits_the_values_alone(values: list[str], before: str, after: str) -> None:
    assert SPEC.count(before) == 1
    assert written(*values) == SPEC.replace(before, after)


def test_input_and_values_given_beside() -> None:
    options = Options(input=(3, 16, 16), classes=10, set=("width=8", "train.seed=3"))
    text = written("width=12", spec=SPEC.replace("\n", "\r\n"), options=options)
    assert text.count("\r\n") == text.count("\n")
    assert "input 3x16x16" in text
    assert "width=12" in text
    assert "# tuned\r\n  seed 3\r\n  # the end" in text


def test_parameter_without_default_and_network_that_is_named() -> None:
    spec = SPEC.replace("width=16", "width") + "\nnetwork Other { input 4, fc 3 }\n"
    options = Options(network="Net", classes=10)
    assert "network Net(width=24, deep=2" in written("width=24", spec=spec, options=options)


def test_empty_and_missing_sections() -> None:
    bare = "network N {\n  input 1x8x8\n  flatten\n  fc 10\n}"
    data = "train.data=digits"
    assert written(data, spec=bare) == f"{bare}\n\ntrain {{\n  data digits\n}}\n"
    assert written(data, spec=f"{bare}\ntrain {{}}\n") == f"{bare}\ntrain {{\n  data digits\n}}\n"
    one = written(data, spec=f"{bare}\ntrain {{  # later\n}}\n")
    assert one == f"{bare}\ntrain {{\n  data digits  # later\n}}\n"


def test_layout_of_others() -> None:
    network = "network N {\n  input 1x8x8\n  flatten\n  fc 10\n}\n"
    for before, value, after in (
        ("train { data digits  # a\n  # b\n}", "train.batch=9", "# a\n  batch 9\n  # b"),
        ("train {\n\tdata digits,\n}", "train.batch=9", "\tdata digits,\n\tbatch 9\n}"),
        ("train { data digits\n  ema 0.9 }", "train.ema=off", "\n  ema off }"),
        (
            "train {\n  data digits\n  schedule multistep at=[1, 2]  # c\n}",
            "train.schedule.at=[2]",
            "schedule multistep at=[2]  # c",
        ),
    ):
        assert after in written(value, spec=f"{network}{before}\n")


def test_imports_and_gallery(tmp_path: Path) -> None:
    (tmp_path / "parts.cnn").write_text("block part(n) { conv n 3x3 same, bn, relu }\n")
    path = tmp_path / "net.cnn"
    body = SPEC.replace("block part(n) { conv n 3x3 same, bn, relu }", 'import "parts.cnn"')
    path.write_text(body, encoding="utf-8")
    text = write_values(read_file(path), TEN, ["width=24"])
    assert text == body.replace("width=16", "width=24")
    digits = open_spec("digits")
    text = write_values(digits, TEN, ["train.optimizer.lr=0.01", "augment.rotate=5"])
    assert "optimizer adamw lr=0.01\n" in text
    assert text.endswith("\n\naugment {\n  rotate 5\n}\n")


def test_refuses_what_the_text_would_not_say() -> None:
    with pytest.raises(SpecError, match="width"):
        written("widht=24")


SWEEP = """\
# What is searched,
# and how.
sweep {
  lr log 1e-4..1e-1   # the rate
  width in [8, 16]
  trials 8
}
"""


@pytest.mark.parametrize(
    ("spec", "without"),
    [
        (f"{SPEC}\n{SWEEP}", SPEC),
        (f"{SPEC}{SWEEP}", SPEC),
        (f"{SPEC}\n{SWEEP}\n\n# The end.\n", f"{SPEC}\n# The end.\n"),
        (SPEC.replace("train {", f"{SWEEP}\ntrain {{"), SPEC),
        (f"{SWEEP}\n{SPEC}", f"# What is searched,\n# and how.\n\n{SPEC}"),
        (f"{SPEC}\nsweep {{ width in [8, 16] }}  # short", SPEC),
    ],
)
def test_takes_the_sweep_out(spec: str, without: str) -> None:
    assert written(spec=spec) == without
    assert written("width=8", spec=spec) == without.replace("width=16", "width=8")
    kept = write_values(Source("net.cnn", spec), TEN, ["width=8"], keep_sweep=True)
    assert kept == spec.replace("width=16", "width=8")
