"""Words and lines of other tools in sections: each has an answer, and no fix loses a value or
leads to the next error. `tests/golden/foreign_sections.txt` has the answers, to be reviewed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dotcnn.compiler.diagnose.trial import apply
from dotcnn.dsl.diagnostics import Diagnostic
from foreign_corpus import errors, section

NAMES = {
    "augment": """
        CenterCrop ColorJitter FiveCrop GaussianBlur Grayscale Lambda LinearTransformation
        Normalize Pad PILToTensor RandomAdjustSharpness RandomAffine RandomApply
        RandomAutocontrast RandomChoice RandomCrop RandomEqualize RandomErasing
        RandomGrayscale RandomHorizontalFlip RandomInvert RandomOrder RandomPerspective
        RandomPosterize RandomResizedCrop RandomRotation RandomSolarize RandomVerticalFlip
        Resize TenCrop ToPILImage ToTensor ConvertImageDtype AutoAugment RandAugment
        TrivialAugmentWide AugMix ElasticTransform ScaleJitter RandomShortestSize
        RandomZoomOut RandomIoUCrop RandomPhotometricDistort RandomChannelPermutation
        GaussianNoise JPEG CutMix MixUp RandomResize RGB ToDtype ToImage ToPureTensor
        Identity SanitizeBoundingBoxes ClampBoundingBoxes ConvertBoundingBoxFormat
        UniformTemporalSubsample Compose HorizontalFlip VerticalFlip Flip Rotate
        RandomRotate90 Transpose SafeRotate ShiftScaleRotate Affine Perspective
        GridDistortion OpticalDistortion RandomBrightnessContrast HueSaturationValue
        RGBShift ChannelShuffle CLAHE ToGray ToSepia Blur MedianBlur MotionBlur GaussNoise
        ISONoise ImageCompression Downscale CoarseDropout Cutout GridDropout RandomGamma
        RandomScale LongestMaxSize SmallestMaxSize PadIfNeeded RandomSizedCrop InvertImg
        Sharpen Emboss Superpixels RandomFog RandomRain RandomSnow RandomShadow
        RandomSunFlare FancyPCA Posterize Solarize Equalize OneOf SomeOf ToTensorV2 ToFloat
        PixelDropout ChannelDropout MultiplicativeNoise RandomCropFromBorders
        BBoxSafeRandomCrop AdvancedBlur Defocus GlassBlur ZoomBlur Spatter UnsharpMask
        RingingOvershoot PiecewiseAffine MaskDropout TemplateTransform RandomToneCurve D4
        Morphological XYMasking FDA HistogramMatching PlanckianJitter aug_transforms
        RandomResizedCropGPU FlipItem DihedralItem CropPad RatioResize Zoom Warp Brightness
        Contrast Saturation Hue Dihedral do_flip flip_vert max_rotate max_zoom max_lighting
        max_warp p_affine p_lighting min_zoom item_tfms batch_tfms cutout dihedral squish
        rand_pad RandomFlip RandomZoom RandomTranslation RandomContrast RandomBrightness
        RandomHeight RandomWidth RandomShear RandomHue RandomSaturation RandomSharpness
        RandomColorJitter RandomColorDegeneration RandomPosterization RandomElasticTransform
        RandomGaussianBlur AutoContrast Equalization Solarization Pipeline Rescaling
        Resizing Normalization MaxNumBoundingBoxes featurewise_center samplewise_center
        featurewise_std_normalization samplewise_std_normalization zca_whitening zca_epsilon
        rotation_range width_shift_range height_shift_range brightness_range shear_range
        zoom_range channel_shift_range fill_mode cval horizontal_flip vertical_flip rescale
        preprocessing_function data_format validation_split interpolation_order dtype
        crop_size mirror mean_value mean_file scale force_color angle saturation exposure
        hue flip aspect jitter cutmix mosaic
    """,
    "train": """
        Adadelta Adafactor Adagrad Adam AdamW SparseAdam Adamax ASGD LBFGS NAdam RAdam
        RMSprop Rprop SGD Muon Lion Ftrl Nadam Lamb LambdaLR MultiplicativeLR StepLR
        MultiStepLR ConstantLR LinearLR ExponentialLR PolynomialLR CosineAnnealingLR
        ChainedScheduler SequentialLR ReduceLROnPlateau CyclicLR OneCycleLR
        CosineAnnealingWarmRestarts SWALR CosineDecay CosineDecayRestarts ExponentialDecay
        InverseTimeDecay LearningRateSchedule PiecewiseConstantDecay PolynomialDecay
        BackupAndRestore CSVLogger EarlyStopping History LambdaCallback
        LearningRateScheduler ModelCheckpoint ProgbarLogger RemoteMonitor SwapEMAWeights
        TensorBoard TerminateOnNaN base_lr momentum momentum2 weight_decay decay lr_policy
        max_iter batch_size gamma stepsize stepvalue power test_iter test_interval display
        snapshot snapshot_prefix solver_mode solver_type type net train_net iter_size
        average_loss clip_gradients regularization_type random_seed delta rms_decay
        debug_info batch subdivisions width height channels learning_rate burn_in
        max_batches policy steps scales letterbox criterion fp16 half drop_last test_size
        fit save_best_only n_epoch lr_max wd moms pct_start div_final freeze_epochs epochs
        verbose callbacks validation_split validation_data shuffle class_weight
        sample_weight initial_epoch steps_per_epoch validation_steps validation_batch_size
        validation_freq loss loss_weights metrics run_eagerly jit_compile optimizer
        max_epochs precision accelerator devices strategy gradient_clip_val
        accumulate_grad_batches log_every_n_steps check_val_every_n_epoch val_check_interval
        limit_train_batches deterministic benchmark sync_batchnorm enable_checkpointing
        logger default_root_dir num_nodes per_device_train_batch_size lr_scheduler_type
        warmup_ratio label_smoothing_factor evaluation_strategy save_strategy
        load_best_model_at_end push_to_hub bf16 dataloader_num_workers
    """,
    "evaluate": """
        CenterCrop Resize Normalize ToTensor FiveCrop TenCrop TTA ConvertImageDtype
        Rescaling featurewise_center samplewise_center featurewise_std_normalization
        samplewise_std_normalization zca_whitening zca_epsilon rotation_range
        width_shift_range height_shift_range brightness_range shear_range zoom_range
        channel_shift_range fill_mode cval horizontal_flip vertical_flip rescale
        preprocessing_function data_format validation_split interpolation_order dtype scale
        mean_value crop_size mirror Grayscale Pad ToDtype ToImage Lambda
    """,
    "transfer": """
        pretrained weights trainable requires_grad freeze unfreeze freeze_layers num_classes
        include_top lr_mult param_groups checkpoint load_state_dict strict fine_tune
        backbone feature_extractor weights_path dropout
    """,
}
"""Names of torchvision.transforms (and v2), albumentations, fastai, Keras, torch.optim, Caffe's and
Darknet's solvers, Lightning and transformers, by the section that people write them into."""

LINES = r"""
train data csv "x.csv"
train data directory "photos"
train data hf "x"
train data tfds "mnist"
train data zip "x.zip"
transfer trainable=False
transfer requires_grad=False
transfer trainable False
train fit_one_cycle 10
train fit_one_cycle(10, 0.003)
augment warp 0.2
augment GaussianBlur(3)
augment GaussianBlur(kernel_size=3, sigma=(0.1, 2.0))
augment GaussianBlur(5, sigma=(0.1, 2.0))
train optimizer sgd lr=0.1 nesterov=True
evaluate CenterCrop 28
evaluate CenterCrop(224)
train weights imagenet
transfer from imagenet
transfer weights imagenet
augment rotate90
augment fill_mode='nearest'
augment fill_mode=nearest
train optimizer "adam"
augment RandomFlip horizontal
augment RandomFlip("horizontal")
train schedule exponential 0.95
train shuffle
train shuffle True
train shuffle 64
transfer freeze backbone
transfer freeze True
transfer freeze 5
transfer freeze=True
augment crop
train decay 5e-4
train decay=0.0005
train weight_decay 0.0005
train l1 0.01
evaluate Resize 256
evaluate scale 1/255
evaluate rescale=1/255
train beta_1=0.9
train optimizer adam beta_1=0.9
train optimizer adam beta1=0.9
train optimizer adam betas=0.9
augment rotate 20 deg
augment rotate limit=20
augment rotate angle=20
augment flip x
augment flip ud
augment flip left_right
train ema on
train ema 99
train checkpoint best
train log neptune
train metrics error_rate
evaluate resize 256 bicubic
evaluate normalize 0..1
transfer head new
augment cval=9
augment rescale=1/255
augment featurewise_center=True
augment channel_shift_range=20
augment zca_whitening=True
augment samplewise_center=True
augment zoom_range=0.2
augment horizontal_flip=True
augment brightness_range=(0.8,1.2)
augment validation_split=0.2
augment data_format=channels_last
augment dtype=float32
augment preprocessing_function=f
augment shear_range=0.2
augment width_shift_range=0.2
augment zca_epsilon=1e-6
augment interpolation_order=1
evaluate featurewise_center=True
evaluate zca_whitening=True
evaluate rotation_range=20
evaluate samplewise_std_normalization=True
train criterion
train fp16
train half
train drop_last
train drop_last=True
train test_size
train test_size=0.2
train fit
train save_best_only
train save_best_only=True
evaluate TTA
train base_lr: 0.01
train momentum: 0.9
train max_iter: 1000
train lr_policy: "step"
train solver_mode: GPU
augment crop_size: 227
augment mean_value: 104
evaluate mean_value: 104
augment mirror: true
train loss nn.CrossEntropyLoss()
augment Normalize(mean=[0.5],std=[0.5])
evaluate Normalize(mean=[0.5],std=[0.5])
evaluate Normalize((0.5,), (0.5,))
augment Resize(256)
evaluate Resize(256)
augment RandomResizedCrop(224)
augment RandomResizedCrop(32)
augment RandomRotation(0.1)
augment RandomRotation(10)
augment lighting 0.1
augment jitter 0.1
augment grayscale 0.1
augment erase 0.5
transfer pretrained=True
transfer pretrained True
transfer weights=imagenet
transfer weights "imagenet"
"""
"""Lines with values, each after its section."""


def written(word: str, line: str) -> str:
    says_data = line.startswith("data ")
    text = section(word, line, says_data=says_data)
    if word == "transfer" and line.split("=")[0].split()[0] not in (
        "from",
        "weights",
        "pretrained",
    ):
        text = text.replace("transfer {", 'transfer {\n  from "runs/a"')
    return text


def fixed(text: str, diagnostic: Diagnostic) -> list[str]:
    before = text.split("\n")
    after = apply(text, diagnostic.edits).split("\n")
    return [line.strip() for line in after if line not in before]


@pytest.mark.parametrize("word", NAMES)
def test_every_name_has_an_answer(word: str) -> None:
    """Not only the list of all directives, and not `let`, which sections do not have."""
    listing = "there are `accumulate`", "there are `blur`", "there are `cache`", "there are `crop`"
    for name in NAMES[word].split():
        for diagnostic in errors(written(word, name)):
            assert not (diagnostic.help or "").startswith(listing), name
            assert "let" not in diagnostic.message.split(), name


def test_answers(golden: Callable[[str, str], None]) -> None:
    lines = [line.split(" ", 1) for line in LINES.strip().splitlines()]
    lines += [[word, name] for word, names in NAMES.items() for name in names.split()]
    table = []
    for word, line in lines:
        text = written(word, line)
        found = errors(text)[:1]
        table.append(f"{word} {{ {line} }}")
        table += [f"    {one.help or one.message}" for one in found]
        table += [f"    -> {new}" for one in found if one.edits for new in fixed(text, one)]
        for one in [one for one in found if one.edits]:
            assert errors(apply(text, one.edits)) == [], line
    golden("foreign_sections.txt", "\n".join(table) + "\n")
