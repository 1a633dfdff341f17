"""Sections drawn at random, most of them odd, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from dotcnn.compiler.plan.directive import REGISTRY

NETWORK = """
network Net {{
  input {input}
  stem: conv 8 3x3 same, bn, relu
  layer1: repeat 2 {{ conv 8 3x3 same, bn, relu }}
  {end}
}}
"""

ENDS = ["pool avg global, flatten, fc 10", "flatten, fc classes, softmax", "flatten, fc 7, sigmoid",
        "conv 2"]  # fmt: skip
INPUTS = ["3x32x32", "1x8x8", "4x16x24", "3x96x96"]


SEVERAL = ("loss bce", "loss asymmetric")
"""Statements for a network that decides each class by itself."""
MASKS = ("loss dice", "loss tversky", "loss lovasz", "tiles")
"""Statements for a network that answers for each pixel."""


SERIES = ("pad", "normalize each", "data npy", "data series")
"""Statements for a network that takes series."""


IMAGES = ("degrade", "loss charbonnier", "loss ssim")
"""Statements for a network that answers with an image."""


def network(input: str = "3x32x32", end: str = ENDS[0]) -> str:
    text = NETWORK.format(input=input, end=end)
    return text if input.count("x") == 2 else text.replace("3x3", "3")


def network_for(line: str, end: str = ENDS[0]) -> str:
    """The network that a statement is for."""
    end = "conv 3 3x3 same" if line.startswith(IMAGES) else end
    return network("1x100" if line.startswith(SERIES) else "3x32x32", end)


# ---- odd statements --------------------------------------------------------------------------

_WORDS = sorted(
    {
        word
        for kinds in REGISTRY.values()
        for name, kind in kinds.items()
        for word in (*name.split(), *(w for f in kind.fields.values() for w in f.words))
    }
    | {"nonsense", "layer1", "stem", "conv", "none", "yes", "true", "mean", "classes", "height"}
)
_FIELDS = sorted(
    {name for kinds in REGISTRY.values() for kind in kinds.values() for name in kind.fields}
    | {"layer1.0", "what"}
)
_VALUES = [
    "0", "1", "3", "-1", "64", "224", "1000000000000000000000", "0.5", "1e-3", "-0.2", "1e300",
    "20%", "0%", "100%", "250%", "10x", "0x", "0.1x", "32x32", "3x32x32", "0..1", "-10..20",
    "0.9..1.1", "5..5", "-1e9..1e9", '"a"', '""', '" "', '"a:b"', '"torchvision:X.Y"', '"a\\n"',
    '"l*"', '"["', "(1, 2, 3)", "(0.5,)", "[0.5, 0.5]", "[1, 2, 3]", "[]", "()", "[(1, 2)]", "on",
    "off", "layer1.1", "layer1.9", "1/255", "classes", "2*height", "max(1, 2)", "not on", "1/0",
]  # fmt: skip

arguments = st.one_of(
    st.sampled_from(_VALUES),
    st.sampled_from(_WORDS),
    st.tuples(st.sampled_from(_FIELDS), st.sampled_from(_VALUES + _WORDS)).map("=".join),
)


def _head(section: str) -> st.SearchStrategy[str]:
    own = st.sampled_from(sorted(REGISTRY[section]))
    return st.one_of(own, own, own, st.sampled_from(_WORDS))


@st.composite
def statements(draw: st.DrawFn, section: str) -> str:
    parts = [draw(_head(section)), *draw(st.lists(arguments, max_size=4))]
    return " ".join(parts)


@st.composite
def sections(draw: st.DrawFn) -> str:
    """Up to four sections with up to five statements each."""
    found = []
    for section in draw(st.lists(st.sampled_from(sorted(REGISTRY)), unique=True)):
        lines = draw(st.lists(statements(section), max_size=5))
        found.append(f"{section} {{\n" + "\n".join(f"  {line}" for line in lines) + "\n}")
    return "\n".join(found)


@st.composite
def specs(draw: st.DrawFn) -> str:
    text = network(draw(st.sampled_from(INPUTS)), draw(st.sampled_from(ENDS)))
    return f"{text}\n{draw(sections())}\n"


# ---- statements that are well ----------------------------------------------------------------

GOOD: dict[str, dict[str, list[str]]] = {
    "train": {
        "data digits": ["data digits", "data digits val=12.5%"],
        "data folder": ['data folder "a b/\\u00e9" val=20%', 'data folder "x" val="y" bad=0%'],
        "data npz": ['data npz "a.npz"', 'data npz "a.npz" images="x" labels="y"'],
        "data table": ['data table "labels.csv" image=file label=(x, y) type=numbers'],
        "data npy": ['data npy "set"', 'data npy "set" images="x" labels="y" bad=2%'],
        "data series": ['data series "GunPoint"'],
        "data coco": ['data coco "annotations.json"'],
        "data hf": ['data hf "saved"'],
        "data shards": ['data shards "train-{0000..0012}.tar"'],
        "data idx": ['data idx "mnist"'],
        "data arrays": ["data arrays", "data arrays val=30%"],
        "data mnist": ['data mnist root="d" download=off'],
        "data fashion_mnist": ["data fashion_mnist"],
        "data kmnist": ["data kmnist"],
        "data emnist": ["data emnist part=digits"],
        "data cifar10": ["data cifar10 val=0.1"],
        "data cifar100": ["data cifar100"],
        "data svhn": ["data svhn"],
        "data stl10": ["data stl10"],
        "data flowers102": ["data flowers102"],
        "data food101": ["data food101"],
        "data pets": ["data pets bad=100%"],
        "data imagenet": ['data imagenet root="/data"'],
        "split": ["split 10% test=10% seed=3", "split val=1/3 stratified=off"],
        "epochs": ["epochs 1", "epochs 90", "epochs 9.9"],
        "batch": ["batch 1", "batch 2*64 drop_last"],
        "accumulate": ["accumulate 4"],
        "optimizer sgd": [
            "optimizer sgd",
            "optimizer sgd lr=0.05 momentum=0.9 nesterov weight_decay=5e-4",
            "optimizer sgd 0.1 dampening=0.1 decay_all=on norm_lr=64x",
        ],
        "optimizer adam": ["optimizer adam betas=(0.5, 0.99) eps=1e-6 amsgrad"],
        "optimizer adamw": ["optimizer adamw lr=1e-3/3"],
        "optimizer rmsprop": ["optimizer rmsprop alpha=0.9 centered"],
        "optimizer muon": ["optimizer muon", "optimizer muon lr=0.05 nesterov=off adamw_lr=0.1x"],
        "schedule constant": ["schedule constant warmup=0.5"],
        "schedule step": ["schedule step 3", "schedule step every=30 factor=0.2 warmup=5%"],
        "schedule multistep": ["schedule multistep 3 6 9", "schedule multistep at=[30] factor=1/3"],
        "schedule cosine": ["schedule cosine warmup=3 end=1e-6"],
        "schedule onecycle": ["schedule onecycle up=20% start=0.1x end=1e-5x"],
        "schedule triangular": ["schedule triangular up=23% start=0.2 end=0.07x"],
        "schedule plateau": ["schedule plateau patience=0 metric=top1"],
        "schedule linear": ["schedule linear end=1e-4"],
        "loss cross_entropy": ["loss cross_entropy smoothing=0.1"],
        "loss bce": ["loss bce"],
        "loss focal": ["loss focal gamma=1.5"],
        "loss asymmetric": ["loss asymmetric absent=3 shift=10%"],
        "loss dice": ["loss dice"],
        "loss tversky": ["loss tversky found=0.2 missed=0.8"],
        "loss lovasz": ["loss lovasz"],
        "loss mse": ["loss mse"],
        "loss mae": ["loss mae"],
        "loss huber": ["loss huber delta=0.5"],
        "loss gaussian_nll": ["loss gaussian_nll"],
        "loss l1": ["loss l1"],
        "loss charbonnier": ["loss charbonnier eps=0.01"],
        "loss ssim": ["loss ssim"],
        "degrade noise": ["degrade noise 25", "degrade noise 5..50"],
        "degrade blur": ["degrade blur 1.5"],
        "degrade downscale": ["degrade downscale 2"],
        "degrade jpeg": ["degrade jpeg 10..40"],
        "degrade gray": ["degrade gray"],
        "degrade grey": ["degrade grey"],
        "weights": ["weights balanced", "weights [1, 2, 0.5]", "weights (3,)"],
        "precision": ["precision bf16", "precision tf32=off"],
        "channels_last": ["channels_last", "channels_last off", "channels_last auto"],
        "compile": ["compile", "compile off", "compile auto", "compile mode=reduce_overhead"],
        "recompute": ["recompute layer1", 'recompute stem "layer1.*"', "recompute off"],
        "clip": ["clip", "clip 0.5 by=value", "clip off"],
        "ema": ["ema 0.99", "ema off"],
        "lookahead": ["lookahead", "lookahead 6 keep=0.8 rise=3", "lookahead off"],
        "freeze_after": ["freeze_after 3 stem", 'freeze_after 1 "layer1.*"', "freeze_after off"],
        "early_stop": ["early_stop 3 metric=f1 by=0.01", "early_stop off"],
        "seed": ["seed 7"],
        "deterministic": ["deterministic", "deterministic no"],
        "sync_bn": ["sync_bn"],
        "workers": ["workers 0", "workers auto"],
        "ensemble": ["ensemble 5"],
        "validate": ["validate 5"],
        "metrics": ["metrics top1 f1", "metrics loss"],
        "checkpoint": ["checkpoint 5 metric=loss"],
        "log": ["log tensorboard csv", "log off"],
    },
    "augment": {
        "flip": ["flip horizontal", "flip vertical p=0.3", "flip both", "flip vertical alternate"],
        "rotate": ["rotate 20", "rotate -10..20 p=1/3 fill=reflect", "rotate 0"],
        "scale": ["scale 0.9..1.1", "scale 10% fill=(1, 2, 3.5)"],
        "zoom": ["zoom 0.2"],
        "shift": ["shift 10%", "shift x=-5%..10%", "shift 0.2 y=0 fill=nearest"],
        "shear": ["shear 10", "shear -5..10 y=3"],
        "perspective": ["perspective", "perspective 0.3 p=1"],
        "elastic": ["elastic", "elastic alpha=30 sigma=4"],
        "resize": [
            "resize 40, crop 32",
            "resize 32x32 mode=nearest",
            "resize 16..32 by=epoch step=8",
        ],
        "crop": ["crop", "crop 32 scale=0.35..1", "crop pad=4 fill=mirror"],
        "color": ["color brightness=0.2 contrast=0.1..3", "color saturation=0.5 hue=-0.1..0.2"],
        "colour": ["colour hue=5%"],
        "grayscale": ["grayscale", "grayscale p=0.5"],
        "greyscale": ["greyscale"],
        "pca_color": ["pca_color 0.1"],
        "noise": ["noise 0.05", "noise 0..0.1"],
        "blur": ["blur", "blur 1.5 p=0.2"],
        "erase": ["erase", "erase scale=0.1..0.2 fill=noise"],
        "mixup": ["mixup", "mixup 0.4"],
        "cutmix": ["cutmix alpha=0.5 p=0.5"],
        "randaugment": ["randaugment", "randaugment n=3 magnitude=15"],
        "trivial": ["trivial fill=nearest"],
    },
    "evaluate": {
        "resize": ["resize 36", "resize 40x32 mode=bicubic"],
        "crop": ["crop 32", "crop 32x32"],
        "pad": ["pad", "pad nearest", "pad -1.5 at=start", "pad reflect at=both"],
        "normalize": [
            "normalize",
            "normalize each",
            "normalize imagenet",
            "normalize mean=(0.5, 0.4, 0.3) std=(0.2, 0.2, 0.2)",
            "normalize scale=1 order=bgr",
            "normalize caffe scale=1/255",
            "normalize none",
        ],
        "composite": ["composite 3 2 1", "composite 2", "composite off"],
        "tiles": ["tiles", "tiles 32", "tiles overlap=50%", "tiles off"],
        "tta": [
            "tta flip",
            "tta crops=10 flip scales=[0.9, 1, 1.1]",
            "tta shift=1 average=logits",
            "tta off",
        ],
    },
    "transfer": {
        "from": ['from "runs/a"', 'from "torchvision:ResNet50_Weights.IMAGENET1K_V2"'],
        "freeze all": ["freeze all"],
        "freeze until": ["freeze until layer1", 'freeze until "layer1.*"'],
        "freeze only": ["freeze only stem layer1.0"],
        "freeze except": ["freeze except fc"],
        "unfreeze": ["unfreeze at epoch 5 until layer1", "unfreeze 8"],
        "lr": ['lr stem=0.1x "layer1.*" 0.5x', "lr layer1.0=0.3"],
        "decay": ["decay 0.7"],
        "head": ["head reset lr=10x", "head reset part=fc", "head off"],
        "features": ["features layer1"],
        "l2": ["l2 0.01"],
        "policy": ["policy auto similar=yes", "policy similar=off"],
        "cache": ["cache features passes=4", 'cache features folder="c"'],
    },
    "sweep": {
        "trials": ["trials 40", "trials 1"],
        "metric": ["metric top1", "metric f1 params", "metric top1 seconds"],
        "sampler": ["sampler tpe", "sampler random", "sampler qmc", "sampler nsga2"],
        "prune": [
            "prune after=3",
            "prune none",
            "prune hyperband factor=4",
            "prune percentile keep=25%",
            "prune patient",
            "prune patience=2",
        ],
        "storage": ['storage "sqlite:///sweep.db"', 'storage "postgresql://user@host/sweeps"'],
        "seed": ["seed 0", "seed 7"],
        "limit": ["limit params < 300k", "limit params <= 300k, macs < 50M, memory < 8GB"],
    },
}


@st.composite
def good_sections(draw: st.DrawFn) -> str:
    """Sections whose statements are well, each by itself."""
    found = []
    for section, kinds in GOOD.items():
        heads = sorted({word.split()[0] for word in kinds})
        if section == "augment":
            chosen = draw(st.lists(st.sampled_from(heads), max_size=6))
        else:
            chosen = draw(st.lists(st.sampled_from(heads), max_size=6, unique=True))
        if section == "transfer" and chosen and "from" not in chosen:
            chosen.append("from")
        lines = []
        for head in chosen:
            fitting = [
                line
                for word in kinds
                if word.split()[0] == head
                for line in kinds[word]
                if not line.startswith(SERIES + IMAGES)
            ]
            lines += [draw(st.sampled_from(fitting))] if fitting else []
        if lines:
            found.append(f"{section} {{\n  " + "\n  ".join(lines) + "\n}")
    return "\n".join(found)
