"""Speed and memory of `cnn report` compared with torchinfo, fvcore, ptflops and flop_counter.

For each network, the table of layers with parameters and multiply-adds is made, as a whole process
(with start-up, which is what a user waits for) and in process (after imports). Runs are
interleaved, and medians are printed; ratios say more than seconds.

    python benchmarks/reports.py [--runs 5] [--networks resnet152 googlenet]

The other tools are torch.utils.flop_counter on the meta device, torchinfo, fvcore and ptflops;
those that are not installed are listed and left out. Then it measures how time grows with the
network.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version

NETWORKS = ["alexnet", "vgg16", "resnet50", "resnet152", "googlenet", "inception_v3"]

# Needed if torchvision is built for CUDA and torch for the CPU.
_MODEL = """
import torch
lib = torch.library.Library("torchvision", "DEF")
lib.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
lib.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision
def model(device):
    with torch.device(device):
        extra = {"init_weights": False} if NAME in ("googlenet", "inception_v3") else {}
        return getattr(torchvision.models, NAME)(**extra).eval()
SIZE = 299 if NAME == "inception_v3" else 224
"""
PEERS = {
    "flop_counter": (
        "torch",
        """
from torch.utils.flop_counter import FlopCounterMode
def run():
    net = model("meta")
    with FlopCounterMode(net, depth=9, display=False) as counter, torch.no_grad():
        net(torch.empty(1, 3, SIZE, SIZE, device="meta"))
    return counter.get_table(9)
""",
    ),
    "torchinfo": (
        "torchinfo",
        """
import torchinfo
def run():
    return str(torchinfo.summary(model("cpu"), (1, 3, SIZE, SIZE), depth=9, verbose=0))
""",
    ),
    "fvcore": (
        "fvcore",
        """
import logging; logging.disable(logging.CRITICAL)
from fvcore.nn import FlopCountAnalysis, flop_count_table
def run():
    net = model("cpu")
    return flop_count_table(FlopCountAnalysis(net, torch.zeros(1, 3, SIZE, SIZE)), max_depth=9)
""",
    ),
    "ptflops": (
        "ptflops",
        """
from ptflops import get_model_complexity_info
import io
def run():
    out = io.StringIO()
    get_model_complexity_info(model("cpu"), (3, SIZE, SIZE), ost=out, print_per_layer_stat=True)
    return out.getvalue()
""",
    ),
}
_OURS = """
from dotcnn.cli import main
def run():
    return main(["report", NAME])
"""
_TIMED = """
import time
run()
start = time.perf_counter(); run(); print("in-process", time.perf_counter() - start)
"""


def script(tool: str, network: str) -> str:
    body = _OURS if tool == "dotcnn" else _MODEL + PEERS[tool][1]
    return f"NAME = {network!r}\n{body}"


def process(code: str) -> tuple[float, float, str]:
    """The seconds, the peak megabytes and the output of a Python process."""
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert child.stdout is not None
    output = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"a run failed:\n{code}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output


def compare(networks: list[str], runs: int) -> None:
    tools = ["dotcnn", *(t for t, (m, _) in PEERS.items() if importlib.util.find_spec(m))]
    for missing in set(PEERS) - set(tools):
        print(f"not installed, left out: {missing}")
    heads = f"{'process s':>10}{'ratio':>8}{'peak MB':>9}{'in process s':>14}"
    print(f"\n{'network':14}{'tool':14}{heads}")
    for network in networks:
        seconds: dict[str, list[float]] = {tool: [] for tool in tools}
        peaks: dict[str, float] = {}
        inside: dict[str, float] = {}
        for _ in range(runs):
            for tool in tools:
                took, peak, _ = process(script(tool, network) + "\nrun()")
                seconds[tool].append(took)
                peaks[tool] = peak
        for tool in tools:
            output = process(script(tool, network) + _TIMED)[2]
            inside[tool] = float(output.rsplit("in-process", 1)[1])
        ours = statistics.median(seconds["dotcnn"])
        for tool in tools:
            median = statistics.median(seconds[tool])
            print(
                f"{network:14}{tool:14}{median:10.3f}{median / ours:8.1f}{peaks[tool]:9.0f}"
                f"{inside[tool]:14.4f}"
            )


def start_up(runs: int) -> None:
    """Compares the report of ResNet-152 with importing the libraries that it uses."""
    both: dict[str, list[float]] = {"report resnet152": [], "import": []}
    for _ in range(runs):
        both["report resnet152"].append(process(script("dotcnn", "resnet152") + "\nrun()")[0])
        both["import"].append(process("import networkx, lark, rich.table")[0])
    report, imports = (statistics.median(values) for values in both.values())
    print(
        f"\nreport resnet152 {report:.3f} s, `import networkx, lark, rich.table` {imports:.3f} s:"
    )
    print(f"ratio {report / imports:.2f} (at most 2)")


def growth() -> None:
    """The time per layer, from a thousand layers to a hundred thousand."""
    code = """
import sys, time
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.analysis import analyse
count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
body = "residual { conv 8 3x3 same, bn, relu }"
text = "network N { input 8x16x16, repeat %d { %s } }" % (count // 4, body)
start = time.perf_counter()
network = elaborate(load_program(Source("n", text)), max_layers=count * 2)
found = analyse(network)
found.costs, found.totals, found.fields, found.lints, found.memory.forward
print((time.perf_counter() - start) / len(network.nodes))
"""
    each = {}
    for count in (1_000, 10_000, 100_000):
        took = [float(process(f"COUNT = {count}\n{code}")[2]) for _ in range(3)]
        each[count] = statistics.median(took)
        print(
            f"{count:8,} layers: {each[count] * 1e6:6.1f} us a layer, {each[count] * count:6.2f} s"
        )
    ratio = each[100_000] / each[1_000]
    print(f"time a layer at 100,000 over that at 1,000: {ratio:.2f} (at most 1.5)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    options = parser.parse_args()
    versions = {
        m: version(m)
        for m in ("torch", "torchvision", "torchinfo", "fvcore", "ptflops")
        if importlib.util.find_spec(m)
    }
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, {versions}"
    )
    compare(options.networks, options.runs)
    start_up(options.runs)
    growth()


if __name__ == "__main__":
    main()
