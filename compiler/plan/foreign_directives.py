"""Translates directives of other tools: `RandomCrop(32, padding=4)` becomes `crop 32 pad=4`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..language.foreign import folded, table
from ..language.signature import Field
from ..language.translate import Value
from ..language.vocabulary import SECTIONS
from .directive import REGISTRY, Directive

NO_DIRECTIVE: Mapping[str, str] = {
    "train": """
a line is always printed after each epoch: take it out
    verbose log_interval display progress_bar average_loss
an epoch goes through all images: take it out
    steps_per_epoch samples_per_epoch initial_epoch validation_steps
write what each of them does as a directive of its own: `early_stop 5`, `schedule cosine`
    callbacks callback cbs
write `epochs 30`: a run is counted in passes over the images
    max_batches max_iter max_steps iterations num_steps num_iterations
write `loss cross_entropy`, `loss bce` or `loss focal`: networks are trained to classify
    mse mean_squared_error mae mean_absolute_error hinge kld kullback_leibler_divergence poisson
    cosine_similarity logcosh huber smooth_l1 l1_loss mse_loss triplet_loss contrastive_loss ctc
    mseloss l1loss smoothl1loss
it belongs to the schedule: `schedule cosine warmup=5`
    warmup warmup_epochs warmup_lr warmup_steps burn_in warmup_ratio lr_min min_lr eta_min
    cooldown_epochs
it belongs to the schedule: `schedule step 30 factor=0.1`
    gamma stepsize step_size decay_rate decay_epochs lr_decay lr_step power
it belongs to the schedule: `schedule multistep 30 60`
    stepvalue steps scales milestones_epochs
write `schedule cosine`, `schedule step 30` or another
    sched lr_policy lr_schedule lr_scheduler scheduler LambdaLR LearningRateScheduler CyclicLR
    CosineAnnealingWarmRestarts CosineDecayRestarts InverseTimeDecay MultiplicativeLR SequentialLR
    ChainedScheduler PolynomialLR SWALR lr_noise
it belongs to the optimizer: `optimizer adam betas=(0.9, 0.999)`
    opt_eps opt_betas betas beta_1 beta_2 epsilon eps rho dampening amsgrad
the input's size is set in the network: `input 3x224x224`
    width height channels input_size input_shape
the network is always validated after each epoch: take it out
    test_iter test_interval validation_freq eval_interval validate_every
the device is chosen on the command line, with `--device`: take it out
    solver_mode gpu_id no_cuda
the run folder is chosen on the command line, with `-o`: take it out
    snapshot_prefix output_dir save_dir logdir log_dir experiment run_name
write `metrics top1 f1`: this one is not computed
    auc AUC roc_auc mean_iou miou map kappa mcc
it is not supported: leave it out
    regularization_type jsd split_bn remode recount label_names
""",
    "augment": """
there is no equivalent: `color brightness=0.2 contrast=0.2` comes closest
    RandomAutocontrast Equalize RandomEqualize CLAHE Posterize RandomPosterize Solarize
    RandomSolarize InvertImg Invert RandomInvert RandomGamma ToSepia HistogramMatching FDA
    RandomChannelPermutation ChannelShuffle gamma Superpixels RandomRain RandomSnow RandomFog
    RandomShadow RandomSunFlare
images are not sharpened here: `blur 0.1..2` makes them less sharp
    Sharpen UnsharpMask Emboss RandomAdjustSharpness sharpness
there is no equivalent: `noise 0.05` comes closest
    JPEG ImageCompression JpegCompression Downscale
write `rotate 20`, which turns by any angle up to 20 degrees
    RandomRotate90 Rot90 Transpose rot90
write directives one after the other, each with its own probability `p=30%`
    OneOf SomeOf Sequential Sometimes RandomApply RandomChoice RandomOrder Transform Lambda Identity
    NoOp
write `crop pad=4`
    Pad PadIfNeeded CropAndPad
write `crop scale=35%..100%`
    RandomIoUCrop CropNonEmptyMaskIfExists
there are no boxes here: a network classifies images, or each pixel of them
    ClampBoundingBoxes ConvertBoundingBoxFormat SanitizeBoundingBoxes ClampKeyPoints
    SanitizeKeyPoints SetClampingMode
leave it out: images are read as the network's input needs them
    ToPILImage ToPureTensor RGB ToFloat UniformTemporalSubsample
write `p=30%` as an argument of a directive
    mixup_prob cutmix_prob prob p_affine p_lighting
interpolation is always bilinear: leave it out
    train_interpolation interpolation
it belongs to `crop`: `crop scale=35%..100% ratio=0.75..1.33`
    ratio crop_ratio
""",
    "evaluate": """
write `resize 256, crop 224`: it is the ratio of crop to resize
    crop_pct
it belongs to `normalize`: `normalize mean=(0.485, 0.456, 0.406) std=(0.229, 0.224, 0.225)`
    mean std mean_value mean_file
interpolation is set with `resize 256 mode=bicubic`
    interpolation
""",
}
"""Words without a corresponding directive, by what to do instead."""


LISTS = frozenset({"callbacks", "callback", "cbs"})
"""What other tools list things in that are directives here."""


def heads(section: str) -> set[str]:
    """All words that can begin a statement of a section."""
    return {word.split(" ", 1)[0] for word in REGISTRY[section]}


def sections_with(word: str) -> list[str]:
    """The sections that have a directive of this name."""
    return [section for section in SECTIONS if word in heads(section)]


def known_elsewhere(section: str) -> dict[str, tuple[str, str]]:
    """Folded names in other tools, with what to write or advice."""
    by_name: dict[str, tuple[str, str]] = {}
    for kind in dict.fromkeys(REGISTRY[section].values()):
        for instead, names in kind.elsewhere.items():
            by_name.update({folded(name): (instead, "") for name in names.split()})
    for kind in dict.fromkeys(REGISTRY[section].values()):
        for what, names in kind.advice.items():
            for name in map(folded, names.split()):
                by_name[name] = by_name.get(name, ("", ""))[0], what
    for name, what in table(NO_DIRECTIVE.get(section, "")).items():
        by_name.setdefault(folded(name), ("", what))
    for word in REGISTRY[section]:  # `Adam`, without `optimizer` before it
        if " " in word:
            by_name.setdefault(folded(word.split(" ")[1]), (word, ""))
    return by_name


def directive(
    section: str, name: str, positional: Sequence[Value], named: Mapping[str, Value]
) -> str | None:
    """The translation of a directive; "" if it switches something off, None if it is unknown."""
    if section not in REGISTRY:
        return None
    own = {folded(head): head for head in heads(section)}
    instead = known_elsewhere(section).get(folded(name), ("", ""))[0] or own.get(folded(name), "")
    if not instead:
        return None
    kind = _kind(section, instead)
    if len(positional) == 1 and positional[0].known is False and not named:
        return ""  # `horizontal_flip=False`
    if kind is None:
        return " ".join([instead, *(value.text for value in positional)])
    further = instead.split(" ")[len(kind.word.split(" ")) :]
    if len(positional) == 1 and positional[0].known is True:
        positional = ()
    if len(further) == 1 and "=" in further[0] and len(positional) == 1 and not named:
        key = further[0].partition("=")[0]  # `brightness_range=(0.8, 1.2)`
        named, positional, further = {key: positional[0]}, (), []
    fields = list(kind.fields.values())
    parts = []
    for field, value in zip(fields, positional, strict=False):
        if value.word == "none":
            continue
        text = _text(field, value)
        parts.append(f"{field.name}={text}" if field.keyword_only else text)
    for theirs, value in named.items():
        own_field = _field(kind, theirs)
        if own_field is not None and value.word != "none":
            further = [word for word in further if not word.startswith(f"{own_field.name}=")]
            parts.append(_argument(own_field, value))
    if further and further[0] in kind.fields and kind.fields[further[0]].is_flag:
        return " ".join([kind.word, *parts, *further])
    bare = [word for word in further if "=" not in word]
    return " ".join([kind.word, *bare, *parts, *(word for word in further if "=" in word)])


def advice(section: str, name: str) -> str:
    """Advice for a word of other tools without a corresponding directive."""
    return known_elsewhere(section).get(folded(name), ("", ""))[1] if section in REGISTRY else ""


def _kind(section: str, instead: str) -> type[Directive] | None:
    words = instead.split(" ")
    known = REGISTRY[section]
    return known.get(" ".join(words[:2])) or known.get(words[0])


def _field(kind: type[Directive], theirs: str) -> Field | None:
    plain = folded(theirs)
    for field in kind.fields.values():
        if plain == folded(field.name) or plain in map(folded, field.elsewhere.split()):
            return field
    return None


def _argument(field: Field, value: Value) -> str:
    if field.is_flag:
        return field.name if value.known is True else ""
    return f"{field.name}={_text(field, value)}"


def _text(field: Field, value: Value) -> str:
    """A value as a section writes it: two numbers become a range where one is expected."""
    known = value.known
    if "range" in field.expects and isinstance(known, tuple) and len(known) == 2:
        low, high = known
        return f"{low:g}..{high:g}"
    return value.text
