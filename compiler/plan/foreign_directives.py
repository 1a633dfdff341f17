"""Translates directives of other tools: `RandomCrop(32, padding=4)` becomes `crop 32 pad=4`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..language.foreign import folded, table
from ..language.signature import Field
from ..language.translate import Statement, Value, value_of
from ..language.values import quoted
from ..language.vocabulary import SECTIONS
from ..language.words_in_force import cached_by_words
from .directive import REGISTRY, Directive, directives, section_of, vocabulary

NO_DIRECTIVE: Mapping[str, str] = {
    "train": """
a line is always printed after each epoch: take it out
    verbose log_interval display progress_bar average_loss History ProgbarLogger ProgressCallback
    debug_info test_compute_loss
the best state is always kept, as `checkpoint` says: take it out
    save_best_only save_best restore_best_weights save_top_k save_last save_weights_only
    snapshot_after_train
`cnn train --resume` continues a run: take it out
    BackupAndRestore resume resume_from
training stops when the loss becomes NaN: take it out
    TerminateOnNaN TerminateOnNaNCallback
write them in a program: `dotcnn.train(spec, callback=…)`
    LambdaCallback CallbackList RemoteMonitor Callback Recorder
give it to the batch: `batch 64 drop_last`
    drop_last drop_remainder
it belongs to the split: `split test=10%`
    test_size test_split val_size validation_size train_size
write `transfer { from "torchvision:ResNet50_Weights.IMAGENET1K_V2" }`, or the folder of a run
    vision_learner cnn_learner unet_learner create_head
`cnn augment net.cnn -o sheet.png` shows images as they are augmented
    show_batch
`cnn evaluate RUN --report page.html` shows the confusion matrix and the worst mistakes
    ClassificationInterpretation SegmentationInterpretation Interpretation plot_confusion_matrix
    plot_top_losses most_confused
write its arguments as directives: `epochs 30`, `batch 64`
    fit fit_generator train_on_batch fine_tune Trainer Learner
the data and its validation part are one line: `data folder "images" val=20%`
    validation_data
`batch` is for validation, too: take it out
    validation_batch_size val_batch_size test_batch_size eval_batch_size
    per_device_eval_batch_size
write `schedule onecycle`, and the largest rate as `lr` of the optimizer
    lr_max moms pct_start div div_final div_factor final_div_factor
write it as an argument: `optimizer adam betas=(0.9, 0.999) eps=1e-8`
    momentum2 delta rms_decay
write the kind of the optimizer: `optimizer sgd`
    type
the network stands in the same file, as `network Name { … }`: take it out
    train_net test_net train_param
images keep their proportions as `resize` and `crop` in `evaluate` say: take it out
    letterbox
give each output a loss with its weight: `loss age mae weight=0.5`
    loss_weights
losses are computed from what the layers compute, without a softmax or sigmoid: take it out
    from_logits logits
there is no such setting: take it out
    run_eagerly log_every_n_steps
    limit_train_batches limit_val_batches evaluation_strategy eval_strategy save_strategy
    load_best_model_at_end push_to_hub report_to enable_checkpointing benchmark cudnn_benchmark
the run folder is chosen on the command line, with `-o`: take it out
    default_root_dir
a run uses one machine, and its GPUs as `--devices` on the command line says: take it out
    num_nodes strategy distributed_backend
write `freeze all`, and `unfreeze at epoch 5`, into `transfer { … }`
    freeze_epochs
write `batch 64`
    per_device_train_batch_size
write `workers 4`
    dataloader_num_workers
write `schedule cosine`, or another
    lr_scheduler_type
give it to the loss: `loss cross_entropy smoothing=0.1`
    label_smoothing_factor
write `epochs 10` and `schedule cosine`
    fit_flat_cos
there is no L1 penalty; `optimizer sgd weight_decay=5e-4` penalises squares
    l1 l1_reg l1_regularization l1_l2 elastic_net
there is no gradient centralization: leave it out
    centralize_gradients
an epoch goes through all images: take it out
    steps_per_epoch samples_per_epoch initial_epoch validation_steps
`cnn find-lr` shows the loss by learning rate; `cnn train --find-lr` takes what it suggests
    lr_find LRFinder lr_finder auto_lr_find LearningRateFinder
write `metrics top1`: the error rate is 1 - `top1`
    error_rate
write what each of them does as a directive of its own: `early_stop 5`, `schedule cosine`
    callbacks callback cbs
write `epochs 30`: a run is counted in passes over the images
    max_batches max_iter max_steps iterations num_steps num_iterations
there is no such loss: of numbers there are `mse`, `mae`, `huber` and `gaussian_nll`, of classes
  `cross_entropy`, `bce` and `focal`
    hinge kld kullback_leibler_divergence poisson cosine_similarity logcosh triplet_loss
    contrastive_loss ctc
it belongs to the schedule: `schedule cosine warmup=5`
    warmup warmup_epochs warmup_lr warmup_steps burn_in warmup_ratio lr_min min_lr eta_min
    cooldown_epochs
it belongs to the schedule: `schedule step 30 factor=0.1`
    gamma stepsize step_size decay_rate decay_epochs lr_decay lr_step power
it belongs to the schedule: `schedule multistep 30 60`
    stepvalue steps scales milestones_epochs
write `schedule cosine`, `schedule step 30` or another
    sched policy lr_policy lr_schedule lr_scheduler scheduler LambdaLR LearningRateScheduler
    CyclicLR CosineAnnealingWarmRestarts CosineDecayRestarts InverseTimeDecay MultiplicativeLR
    SequentialLR ChainedScheduler PolynomialLR SWALR lr_noise
it belongs to the optimizer: `optimizer adam betas=(0.9, 0.999)`
    opt_eps opt_betas betas beta_1 beta_2 epsilon eps rho dampening amsgrad
the input's size is set in the network: `input 3x224x224`
    width height channels input_size input_shape
validation follows whole epochs: write `validate 5`
    test_interval val_check_interval
the whole validation set is evaluated: take it out
    test_iter
the device is chosen on the command line, with `--device`: take it out
    solver_mode gpu_id no_cuda
the run folder is chosen on the command line, with `-o`: take it out
    snapshot_prefix output_dir save_dir logdir log_dir experiment run_name
write `metrics top1 f1`: this one is not computed
    kappa mcc
it belongs to the data, a column of the table: `data table "labels.csv" weight=times`
    sample_weight sample_weights sample_weight_mode
it is not supported: leave it out
    regularization_type jsd split_bn remode recount label_names
""",
    "augment": """
there is no equivalent: `color brightness=0.2 contrast=0.2` comes closest
    RandomAutocontrast Equalize RandomEqualize CLAHE Posterize RandomPosterize Solarize
    RandomSolarize InvertImg Invert RandomInvert RandomGamma ToSepia HistogramMatching FDA
    RandomToneCurve PlanckianJitter RandomPosterization AutoContrast Equalization Solarization
    AdditiveNoise Colorize RandomChannelPermutation ChannelShuffle gamma Superpixels
    RandomRain RandomSnow RandomFog RandomShadow RandomSunFlare
images are not sharpened here: `blur 0.1..2` makes them less sharp
    RingingOvershoot RandomSharpness Sharpen UnsharpMask Emboss RandomAdjustSharpness sharpness
there is no equivalent: `noise 0.05` comes closest
    JPEG ImageCompression JpegCompression Downscale
write `rotate 20`, which turns by any angle up to 20 degrees
    RandomRotate90 Rot90 Transpose rot90 rotate90 D4
write directives one after the other, each with its own probability `p=30%`
    OneOf SomeOf Sequential Sometimes RandomApply RandomChoice RandomOrder Transform Lambda Identity
    NoOp
write `crop pad=4`
    Pad PadIfNeeded CropAndPad CropPad rand_pad RandomPad
write `crop scale=35%..100%`: everything that moves pixels is combined into one interpolation
    presizing RandomResizedCropGPU
write `crop scale=35%..100%`
    RandomIoUCrop RandomCropFromBorders BBoxSafeRandomCrop RatioResize
write `crop balanced=50%`: around a pixel of a class that is drawn with equal chances
    CropNonEmptyMaskIfExists RandCropByPosNegLabel RandCropByLabelClasses
boxes are not learned here: classes of images, masks and numbers are
    ClampBoundingBoxes ConvertBoundingBoxFormat SanitizeBoundingBoxes ClampKeyPoints
    SanitizeKeyPoints SetClampingMode MaskDropout MaxNumBoundingBoxes mosaic TemplateTransform
leave it out: images are read as the network's input needs them
    ToPILImage ToPureTensor RGB force_color ToFloat UniformTemporalSubsample
write `p=30%` as an argument of a directive
    mixup_prob cutmix_prob prob p_affine p_lighting
interpolation is always bilinear: leave it out
    train_interpolation interpolation interpolation_order
it is an argument of every directive that moves pixels: `rotate 20 fill=nearest`, `fill=9`
    fill_mode cval fillcolor fill_value padding_mode border_mode mask_value
write `evaluate { normalize none }`: pixels are then from 0 to 1
    rescale Rescaling rescaling div_by_255
write `evaluate { normalize measured }`: mean and deviation of the training images
    featurewise_center featurewise_std_normalization Normalization standardize
there is no equivalent for single images: `normalize measured` in `evaluate` comes closest
    samplewise_center samplewise_std_normalization per_image_standardization
images are not whitened, but their patches are with `init whitening` in the network's body
    zca_whitening zca_epsilon zca ZCA ZCAWhitening whitening
there is no equivalent: `color brightness=0.2` changes all channels alike
    channel_shift_range ChannelShift ColorJitterChannel
write it with the data, in `train`: `data folder "images" val=20%`
    validation_split subset
shapes are channels x height x width, and numbers float32: take it out
    data_format dtype
write `flip both` and `rotate 20`
    Dihedral DihedralItem RandomDihedral
write `resize 40x32`, with height and width, or `scale 0.9..1.1`
    squish RandomHeight RandomWidth aspect
write its directives out, one a line
    item_tfms batch_tfms tfms transforms transform
there is no equivalent; `erase` and `elastic` come closest
    XYMasking Morphological
there are no functions of your own here: write the directives out
    preprocessing_function
`color brightness=0.2 contrast=0.2` changes colors; `shift 10%`, or `crop scale=35%..100%`, is what
  Darknet means by it
    jitter Jitter
write `crop`: it has the size of the network's input
    crop_size crop_width crop_height CenterCrop CentreCrop FiveCrop TenCrop
it belongs to `evaluate`: `normalize mean=(0.485, 0.456, 0.406) std=(0.229, 0.224, 0.225)`
    mean_value mean_file mean std Normalize
write its arguments as directives: `rotate 20`, `flip horizontal`
    ImageDataGenerator
there is no equivalent; directives are written one after the other, each with its own probability
    AugMix AugMixAugment Pipeline RandomAugmentationPipeline RandomApplication OneOrOther
    Compose ReplayCompose SelectiveChannelTransform
there is no equivalent: leave it out
    Resample TimeReverse LinearTransformation MixedNoise RandomDither
it belongs to `crop`: `crop scale=35%..100% ratio=0.75..1.33`
    ratio crop_ratio
""",
    "augment of series": """
there is no equivalent: `scale 0.8..1.2` and `noise 5%` come closest
    MagnitudeWarp magnitude_warp TSMagWarp Clip ClippingDistortion Clipping TanhDistortion Overdrive
    Compressor Limiter Mp3Compression BitCrush Contrast Phaser Flanger Chorus Tremolo Normalize
    LoudnessNormalization RandomGaussianNoise
there is no equivalent: `stretch 0.9..1.1` changes length and pitch together
    PitchShift pitch_shift RandomPitchShift
there are no filters here; `mask frequency=10%` masks bands of a spectrogram
    LowPassFilter HighPassFilter BandPassFilter PeakingFilter LowShelfFilter HighShelfFilter
    SevenBandParametricEQ EQ Biquad Lowpass Highpass Bandpass Aliasing
there are no recordings of rooms or noises here: `noise snr=10..30` comes closest
    AddBackgroundNoise AddShortNoises ApplyImpulseResponse RoomSimulator Reverb RIR
there is no equivalent: `mask time=10%` and `shift 10%` come closest
    Permutation permutation TSPermutation RandomPermutation Shuffle TSShuffle_HLs ShuffleSteps
    RepeatPart TSRandomRotate Rotation rotation TSRandomTrend TSRandomFreqNoise
longer series are cut at random, and shorter ones padded: leave it out
    Pad PadIfNeeded Trim AdjustDuration CenterCrop TimeStepDropout
write `mixup` or `cutmix`
    Mix TSMixUp
""",
    "evaluate": """
write `resize 256, crop 224`: it is the ratio of crop to resize
    crop_pct
it belongs to `normalize`: `normalize mean=(0.485, 0.456, 0.406) std=(0.229, 0.224, 0.225)`
    mean std mean_value mean_file
interpolation is set with `resize 256 mode=bicubic`
    interpolation
write `normalize none`, which scales pixels to 0..1; another scale is `normalize scale=0.01`
    scale input_scale
there is no equivalent for single images: `normalize measured` comes closest
    samplewise_center samplewise_std_normalization per_image_standardization
images are not whitened, but their patches are with `init whitening` in the network's body
    zca_whitening zca_epsilon zca ZCA ZCAWhitening whitening
shapes are channels x height x width, and numbers float32: take it out
    data_format
""",
    "transfer": """
name the model and its weights: `from "torchvision:ResNet50_Weights.IMAGENET1K_V2"`
    imagenet IMAGENET1K_V1 IMAGENET1K_V2 imagenet_weights
write `from "weights.pt"`, with the file or run folder
    load_state_dict weights_path load_weights pretrained_path ckpt_path model_path
names and shapes of weights are always compared, and differences reported: take it out
    strict
write `freeze until`, with the first layer that is trained, or `freeze only`
    freeze_layers frozen_stages freeze_at
""",
}
"""Words without a corresponding directive, by what to do instead."""

OTHER_KINDS: Mapping[str, Mapping[str, str]] = {
    "data": {"folder": "directory dir folders imagefolder imagedir image_folder path"},
    "freeze": {"all": "backbone base body encoder features trunk true on yes everything"},
}
"""By the first word of a directive: names of its kinds in other tools."""

NO_KIND: Mapping[str, str] = {
    "data": """
write `data table "labels.csv"`: a row for each image, and columns for its file and its label
    csv tsv txt list dataframe df pandas parquet
save it as CSV, and write `data table "labels.csv"`: a row for each image
    excel xlsx json jsonl
write `data coco "annotations.json"`, or `data table "labels.csv"` for a table
    annotations
save it with `save_to_disk`, and write `data hf "folder"`
    huggingface hugging_face datasets
download it first, into a folder for each class: `data folder "images"`
    kaggle url http https s3 gcs openml roboflow
write the name itself: `data mnist`, `data cifar10`
    tfds tensorflow_datasets torchvision keras
unpack it, and write `data folder "images"`
    zip tar tgz targz archive rar 7z
save its arrays with `numpy.savez`, and write `data npz "data.npz"`
    h5 hdf5 tfrecord tfrecords lmdb leveldb pickle pkl mat arrow webdataset wds numpy tensor pt
    arrays
sort the sounds into a folder for each class, `data folder "sounds"`, or list them in a table,
  `data table "labels.csv"`
    audio sound wav
boxes are not learned here: classes of images, masks and numbers are, as `data folder "images"` or
  `data table "labels.csv"`
    voc yolo
frames of videos are arrays here: save them with `numpy.savez`, and write `data npz "data.npz"`
    video
texts are no input of convolutional networks here: images, series and scans are
    text
""",
    "freeze": """
write `freeze off`, or leave it out: nothing is frozen
    false no nothing
write `freeze until`, with the first layer that is trained
    first half bottom early
""",
}
"""Kinds that a directive does not have, by what to do instead."""

_MONITORED = {
    "val_loss": ("loss", ""),
    **dict.fromkeys(("val_acc", "val_accuracy", "val_top1", "accuracy", "acc"), ("top1", "")),
    **dict.fromkeys(("val_iou", "val_miou", "val_mean_iou"), ("miou", "")),
}
"""Metrics that other tools name with the part that they are measured on."""

VALUES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "metric": _MONITORED,
    "early_stop": _MONITORED,
    "checkpoint": {
        **_MONITORED,
        **dict.fromkeys(
            ("best", "last", "save_best_only", "all"),
            ("", "the best and the last state are always kept: take the word out"),
        ),
    },
    "log": dict.fromkeys(
        ("comet", "neptune", "clearml", "json", "console"),
        (
            "",
            "there are `tensorboard`, `mlflow`, `wandb` and `csv`; `metrics.jsonl` is always"
            " written",
        ),
    ),
    "metrics": {
        **_MONITORED,
        **dict.fromkeys(("error_rate", "error", "err"), ("top1", "the error rate is 1 - `top1`")),
        **dict.fromkeys(("mean_absolute_error", "MeanAbsoluteError"), ("mae", "")),
    },
    "from": dict.fromkeys(
        ("imagenet", "imagenet1k", "imagenet1k_v1", "imagenet21k", "default", "coco", "noisy"),
        ("", 'name the model and its weights: `"torchvision:ResNet50_Weights.IMAGENET1K_V2"`'),
    ),
    "head": dict.fromkeys(("new", "random", "scratch", "replace", "reinit"), ("reset", "")),
    "normalize": {"0..1": ("none", ""), "-1..1": ("inception", ""), "(-1)..1": ("inception", "")},
    "resize": {
        **{mode: (f"mode={mode}", "") for mode in ("bilinear", "bicubic", "nearest")},
        **dict.fromkeys(("lanczos", "area", "box"), ("", "write `mode=bicubic`")),
    },
    "flip": {
        **dict.fromkeys(
            ("lr", "left_right", "leftright", "h", "horiz", "hflip", "fliplr", "mirror"),
            ("horizontal", ""),
        ),
        **dict.fromkeys(
            ("ud", "up_down", "updown", "v", "vert", "vflip", "flipud", "upside_down"),
            ("vertical", ""),
        ),
        **dict.fromkeys(("xy", "all", "hv", "horizontal_and_vertical"), ("both", "")),
        **dict.fromkeys(
            ("x", "y", "width", "height", "left", "right", "up", "down", "random", "0", "1", "-1"),
            ("", "`horizontal` swaps left and right, `vertical` swaps top and bottom"),
        ),
    },
    "rotate": dict.fromkeys(("deg", "degree", "degrees"), ("", "degrees need no unit")),
    "shear": dict.fromkeys(("deg", "degree", "degrees"), ("", "degrees need no unit")),
}
"""By the first word of a directive: values of other tools, with what to write and advice."""

NUMBERED: Mapping[str, str] = {
    "freeze": "layers have names, not numbers: `freeze until` takes the first layer that is"
    " trained, and `freeze all` leaves only a new head to train (`cnn report` shows the names)",
}
"""By the first word of a directive: advice for a number where it takes a kind."""

QUOTED: Mapping[str, str] = {
    "data": 'a folder of images is `data folder "photos"`; with labels in a table, it is'
    ' `data table "labels.csv" root="photos"`',
}
"""By the first word of a directive: advice for a text where it takes a kind."""

SIGNATURES: Mapping[str, str] = {
    "gaussianblur": "kernel_size sigma",
    "medianblur": "kernel_size",
    "motionblur": "kernel_size",
    "averageblur": "kernel_size",
    "randomgaussianblur": "kernel_size sigma",
    "randomhorizontalflip": "p",
    "randomverticalflip": "p",
    "fliplr": "p",
    "flipud": "p",
    "hflip": "p",
    "vflip": "p",
    "horizontalflip": "p",
    "verticalflip": "p",
    "randomgrayscale": "p",
    "randomresizedcrop": "side scale ratio",
    "randomerasing": "p scale ratio fill",
    "reprob": "p",
    "fitonecycle": "n_epoch lr_max",
    "exponential": "factor",
    "exponentiallr": "factor",
    "exponentialdecay": "initial_learning_rate decay_steps factor",
    "steplr": "every factor",
    "multisteplr": "at factor",
    "normalize": "mean std",
    "randomaffine": "degrees translate scale shear",
    "timemasking": "time_mask_param",
    "frequencymasking": "freq_mask_param",
    "melspectrogram": "rate fft window hop",
}
"""Arguments in the order of other tools, where it is another than here, by folded name."""

FALSE_FREEZES = frozenset({"trainable", "requiresgrad"})
"""Settings that freeze where they are off."""

OF_255 = frozenset({"1/255", "1./255", "1/255.", "1.0/255", "1/255.0", "1.0/255.0", "1./255."})

NEEDS_NO_TRANSLATION = frozenset(
    map(
        folded,
        """name seed antialias resample interpolation inplace always_apply verbose monitor mode
        T_max total_steps steps_per_epoch last_epoch save_best_only restore_best_weights filepath
        foreach fused capturable maximize differentiable optimizer params data_format dtype
        reduction from_logits size_average reduce center expand num_classes split train transform
        target_transform""".split(),
    )
)
"""Arguments that change nothing here, or that follow from other lines."""


LISTS = frozenset({"callbacks", "callback", "cbs"})
"""What other tools list things in that are directives here."""


def heads(section: str) -> set[str]:
    """All words that can begin a statement of a section."""
    return {word.split(" ", 1)[0] for word in directives(section)}


def sections_with(word: str) -> list[str]:
    """The sections that have a directive of this name."""
    return [section for section in SECTIONS if word in heads(vocabulary(section, True))]


@cached_by_words
def known_elsewhere(section: str) -> Mapping[str, tuple[str, str]]:
    """Folded names in other tools, with what to write or advice."""
    by_name: dict[str, tuple[str, str]] = {}
    kinds = list(dict.fromkeys(directives(section).values()))
    for instead, names in _told(kinds, "elsewhere"):
        by_name.update({folded(name): (instead, "") for name in names.split()})
    for what, names in _told(kinds, "advice"):
        for name in map(folded, names.split()):
            by_name[name] = by_name.get(name, ("", ""))[0], what
    for named in dict.fromkeys((section, section_of(section))):
        for name, what in table(NO_DIRECTIVE.get(named, "")).items():
            by_name.setdefault(folded(name), ("", what))
    for word in directives(section):  # `Adam`, without `optimizer` before it
        if " " in word:
            by_name.setdefault(folded(word.split(" ")[1]), (word, ""))
    return by_name


def _told(kinds: Iterable[type[Directive]], name: str) -> Iterator[tuple[str, str]]:
    """The entries of classes and of those that they derive from, these first."""
    classes = dict.fromkeys(base for kind in kinds for base in reversed(kind.__mro__))
    for one in classes:
        yield from vars(one).get(name, {}).items()


def instead_of(section: str, name: str) -> str:
    """What is written instead of a word; "" if it is unknown, or a directive itself."""
    own = {folded(head): head for head in heads(section)}
    return known_elsewhere(section).get(folded(name), ("", ""))[0] or own.get(folded(name), "")


def directive(
    section: str, name: str, positional: Sequence[Value], named: Mapping[str, Value]
) -> Statement | None:
    """The translation of a directive; empty if it switches something off, None if it is unknown."""
    if section_of(section) not in REGISTRY:
        return None
    instead = instead_of(section, name)
    if not instead:
        return None
    kind = _kind(section, instead)
    switch = positional[0].known if len(positional) == 1 and not named else None
    if folded(name) in FALSE_FREEZES and isinstance(switch, bool):
        return Statement("" if switch else instead)
    if switch is False:
        return Statement("")  # `horizontal_flip=False`
    if kind is None:
        return Statement(" ".join([instead, *(value.text for value in positional)]))
    further = instead.split(" ")[len(kind.word.split(" ")) :]
    if switch is True:
        positional = ()
        if needs_text(section, instead):
            return None  # `pretrained=True` does not say which weights
    if instead == "normalize none" and positional:
        scales = positional[0].text.replace(" ", "").strip("()") in OF_255
        return Statement(instead, [] if scales else [f"scale={positional[0].text}"])
    settings = [word.partition("=")[0] for word in further if "=" in word]
    order = SIGNATURES.get(folded(name), "").split()
    if settings and len(settings) == len(further) and len(positional) == 1 and not (named or order):
        # `brightness_range=(0.8, 1.2)`
        named, positional = dict.fromkeys(settings, positional[0]), ()
    return _statement(kind, further, _by_name(kind, name, order, positional, named))


class Given(NamedTuple):
    """An argument of another tool."""

    name: str
    """Its name there, or here; "" if it has no place."""
    value: Value
    bare: bool = False
    """Whether it stands in the same place here, without its name."""


def _by_name(
    kind: type[Directive],
    name: str,
    order: Sequence[str],
    positional: Sequence[Value],
    named: Mapping[str, Value],
) -> list[Given]:
    """All arguments with their names; an argument without a place has the name ""."""
    same_order = not order
    order = order or list(kind.fields)
    if folded(name) == "randomrotation" and positional and _is_turn(positional[0].known):
        positional = [value_of(round(positional[0].known * 360, 6)), *positional[1:]]  # Keras
    places = [*order, *[""] * len(positional)]
    here = [*kind.fields, *places]
    given = [
        Given(place, value, same_order or place == own)
        for place, value, own in zip(places, positional, here, strict=False)
    ]
    return [*given, *(Given(*one) for one in named.items())]


def _is_turn(known: object) -> bool:
    """Whether a rotation is a share of a full turn, as in Keras."""
    return isinstance(known, float) and 0 < known < 1


def _statement(kind: type[Directive], further: Sequence[str], given: Sequence[Given]) -> Statement:
    """The directive with its arguments, and those that have no equivalent."""
    bare = [word for word in further if "=" not in word]
    settings = [word for word in further if "=" in word]
    parts: list[str] = []
    left_out: list[str] = []
    for theirs, value, plain in given:
        field = _field(kind, theirs)
        if field is None:
            if folded(theirs) not in NEEDS_NO_TRANSLATION:
                left_out.append(f"{theirs}={value.text}" if theirs else value.text)
            continue
        if value.word == "none":
            continue
        if VALUES.get(kind.head(), {}).get(value.text.lower(), ("here", ""))[0] == "":
            left_out.append(value.text)
            continue
        settings = [word for word in settings if not word.startswith(f"{field.name}=")]
        first = next(iter(kind.fields.values()))
        if bare and field is first and not first.is_flag:
            bare = []
        plain = plain and not field.keyword_only and not field.is_flag
        parts.append(_text(field, value) if plain else _argument(field, value))
    text = " ".join(filter(None, [kind.word, *bare, *parts, *settings]))
    return Statement(text, left_out)


def advice(section: str, name: str) -> str:
    """Advice for a word of other tools without a corresponding directive."""
    known = known_elsewhere(section) if section_of(section) in REGISTRY else {}
    return known.get(folded(name), ("", ""))[1]


def in_another_section(
    section: str, name: str, positional: Sequence[Value], named: Mapping[str, Value]
) -> str:
    """Advice for a word that belongs to another section; "" if there is none. In a network, whose
    section is "", too.
    """
    here = section_of(section)
    for other in SECTIONS:
        if other == here or (here and here not in REGISTRY):
            continue
        other = vocabulary(other, here != section)
        written = directive(other, name, positional, named)
        if written is not None and written.text:
            return f"write `{written.text}` into `{section_of(other)} {{ … }}`"
        what = advice(other, name)
        if what:
            belongs = f"it is of `{section_of(other)} {{ … }}`"
            return what if "take it out" in what else f"{belongs}: {what}"
    return ""


def kind_elsewhere(head: str, name: str) -> tuple[str, str]:
    """For a kind that a directive does not have: what it is called here, and advice."""
    for kind, names in OTHER_KINDS.get(head, {}).items():
        if folded(name) in map(folded, names.split()):
            return kind, ""
    by_name = {folded(one): what for one, what in table(NO_KIND.get(head, "")).items()}
    return "", by_name.get(folded(name), "")


def _kind(section: str, instead: str) -> type[Directive] | None:
    words = instead.split(" ")
    known = directives(section)
    return known.get(" ".join(words[:2])) or known.get(words[0])


def needs_text(section: str, instead: str) -> bool:
    """Whether a directive needs a path or a name, which nobody can guess."""
    kind = _kind(section, instead)
    return kind is not None and any(field.write is quoted for field in kind.needed())


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
