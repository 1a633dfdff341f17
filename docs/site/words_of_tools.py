"""Tables of the words of other tools, for docs/guide/from-*.md: what each is written as here.

Which words a tool has stands below, in the order of its own documentation; the answers come from
the registries that `cnn check` and `cnn help` ask. A page has a table between two comments:

    <!-- words: keras layers -->
    …
    <!-- end of words -->

`python -m dotcnn.docs.site.words_of_tools` writes all of them anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotcnn.compiler.diagnose.foreign_words import Meaning, meanings
from dotcnn.compiler.language.foreign import PARTS, argument, folded
from dotcnn.compiler.language.foreign import layer as foreign_layer
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES

from .pages import table

GUIDE = Path(__file__).parent.parent / "guide"

SECTIONS: Mapping[str, str] = {
    "layers": "network", "arguments": "argument", "training": "train", "augmentation": "augment",
    "preprocessing": "evaluate", "fine-tuning": "transfer",
}  # fmt: skip
"""The groups of words, and where in a spec their answers belong."""

WORDS: Mapping[str, Mapping[str, str]] = {
    "keras": {
        "layers": """Input Dense Activation Conv1D Conv2D Conv3D Conv2DTranspose SeparableConv2D
            DepthwiseConv2D MaxPooling2D AveragePooling2D GlobalMaxPooling2D
            GlobalAveragePooling2D BatchNormalization LayerNormalization GroupNormalization
            Dropout SpatialDropout2D Reshape Flatten Permute ZeroPadding2D Cropping2D UpSampling2D
            Concatenate Average Maximum Minimum Add Subtract Multiply Dot ReLU LeakyReLU PReLU ELU
            Softmax Embedding LSTM MultiHeadAttention Lambda Sequential""",
        "arguments": """filters units kernel_size strides padding dilation_rate groups use_bias
            depth_multiplier pool_size rate momentum epsilon interpolation data_format input_shape
            kernel_initializer bias_initializer kernel_regularizer kernel_constraint""",
        "training": """SGD RMSprop Adam AdamW CategoricalCrossentropy
            SparseCategoricalCrossentropy BinaryCrossentropy MeanSquaredError MeanAbsoluteError
            label_smoothing CosineDecay ExponentialDecay PiecewiseConstantDecay
            ReduceLROnPlateau LearningRateScheduler EarlyStopping ModelCheckpoint TensorBoard
            CSVLogger TerminateOnNaN BackupAndRestore clipnorm clipvalue batch_size epochs fit
            validation_split validation_data class_weight mixed_precision verbose
            restore_best_weights""",
        "augmentation": """RandomFlip RandomRotation RandomZoom RandomTranslation RandomCrop
            RandomContrast RandomBrightness RandomErasing MixUp CutMix RandAugment
            rotation_range width_shift_range height_shift_range shear_range zoom_range
            horizontal_flip vertical_flip brightness_range fill_mode""",
        "preprocessing": "Resizing CenterCrop Rescaling Normalization featurewise_center",
    },
    "pytorch": {
        "layers": """Conv1d Conv2d Conv3d ConvTranspose2d Linear MaxPool2d AvgPool2d
            AdaptiveAvgPool2d AdaptiveMaxPool2d LPPool2d BatchNorm2d GroupNorm LayerNorm
            InstanceNorm2d LocalResponseNorm RMSNorm ReLU ReLU6 LeakyReLU PReLU ELU SELU GELU SiLU
            Mish Sigmoid Tanh Softplus Hardswish Hardsigmoid Softmax LogSoftmax Dropout Dropout2d
            Flatten Unflatten Identity Upsample PixelShuffle PixelUnshuffle ChannelShuffle
            ZeroPad2d ReflectionPad2d MultiheadAttention Embedding LSTM Sequential ModuleList cat
            interpolate""",
        "arguments": """out_channels out_features in_channels in_features kernel_size stride
            padding dilation groups bias padding_mode ceil_mode count_include_pad output_size
            negative_slope eps momentum affine track_running_stats scale_factor inplace dtype
            device""",
        "training": """SGD Adam AdamW RMSprop CrossEntropyLoss BCEWithLogitsLoss MSELoss L1Loss
            SmoothL1Loss StepLR MultiStepLR CosineAnnealingLR OneCycleLR ReduceLROnPlateau
            ExponentialLR LinearLR clip_grad_norm_ GradScaler autocast DataLoader num_workers
            batch_size drop_last random_split ImageFolder SyncBatchNorm manual_seed
            accumulate_grad_batches""",
        "augmentation": """RandomHorizontalFlip RandomVerticalFlip RandomRotation RandomAffine
            RandomResizedCrop RandomCrop ColorJitter RandomGrayscale GaussianBlur RandomErasing
            RandomPerspective ElasticTransform RandAugment TrivialAugmentWide AutoAugment MixUp
            CutMix""",
        "preprocessing": "Resize CenterCrop Normalize ToTensor TenCrop FiveCrop",
    },
    "caffe": {
        "layers": """Input Data ImageData Convolution Deconvolution InnerProduct Pooling LRN
            BatchNorm Scale Bias MVN Dropout ReLU PReLU ELU Sigmoid TanH AbsVal Softmax Concat
            Eltwise Slice Split Flatten Reshape Crop Permute SPP Silence
            SoftmaxWithLoss SigmoidCrossEntropyLoss EuclideanLoss HingeLoss Accuracy""",
        "arguments": """num_output kernel_size stride pad dilation group bias_term weight_filler
            bias_filler lr_mult decay_mult dropout_ratio local_size convolution_param pooling_param
            kernel_h pad_w""",
        "training": """base_lr momentum weight_decay lr_policy stepsize gamma max_iter iter_size
            clip_gradients solver_type type display snapshot test_iter test_interval random_seed
            solver_mode""",
        "augmentation": "mirror crop_size",
        "preprocessing": "mean_value scale mean_file",
    },
    "darknet": {
        "layers": """net convolutional deconvolutional connected maxpool avgpool batchnorm dropout
            route shortcut upsample reorg softmax logistic sam scale_channels yolo region""",
        "arguments": """filters size stride pad padding groups activation batch_normalize output
            probability""",
        "training": """batch subdivisions learning_rate momentum decay burn_in max_batches policy
            steps scales""",
        "augmentation": "angle saturation exposure hue flip mixup cutmix aspect mosaic",
    },
    "fastai": {
        "layers": """ConvLayer ResBlock LinBnDrop AdaptiveConcatPool2d SelfAttention Flatten
            PixelShuffle_ICNR SEBlock""",
        "training": """Learner vision_learner unet_learner show_batch ClassificationInterpretation
            fit_one_cycle fit_flat_cos fine_tune lr_find lr_max ranger
            CrossEntropyLossFlat LabelSmoothingCrossEntropy FocalLossFlat BCEWithLogitsLossFlat
            MSELossFlat to_fp16 EarlyStoppingCallback SaveModelCallback ReduceLROnPlateau CSVLogger
            GradientClip GradientAccumulation RandomSplitter valid_pct bs error_rate accuracy
            top_k_accuracy wd moms""",
        "augmentation": """aug_transforms presizing Flip Rotate Zoom Warp Brightness Contrast
            RandomResizedCrop RandomErasing MixUp CutMix do_flip flip_vert max_rotate max_zoom
            max_lighting max_warp""",
        "preprocessing": "Resize Normalize CropPad",
        "fine-tuning": "freeze unfreeze freeze_to discriminative_lr freeze_epochs",
    },
    "timm": {
        "layers": """ConvNormAct SeparableConv2d StdConv2d BlurPool2d SqueezeExcite EcaModule
            CbamModule DropPath DropBlock2d LayerNorm2d GroupNorm1 FrozenBatchNorm2d
            SelectAdaptivePool2d GlobalResponseNorm LayerScale AttentionPool2d
            InvertedResidual Bottleneck Mlp""",
        "arguments": "drop_rate drop_path_rate act_layer in_chans",
        "training": """opt lr weight_decay momentum sched warmup_epochs cooldown_epochs min_lr
            decay_rate epochs batch_size clip_grad model_ema model_ema_decay amp smoothing
            bce_loss grad_accum_steps sync_bn channels_last torchcompile seed log_wandb""",
        "augmentation": """hflip vflip color_jitter aa mixup cutmix reprob remode scale ratio
            train_interpolation""",
        "preprocessing": "img_size crop_pct mean std interpolation tta",
        "fine-tuning": "layer_decay pretrained initial_checkpoint",
    },
}  # fmt: skip

_USUAL = ("conv", "fc", "pool avg", "upsample", "dropout", "bn", "leaky", "depthwise", "lrn")
"""The layers that arguments are looked up in, before all others."""

_TABLE = re.compile(r"(<!-- words: (\w+) ([\w-]+) -->\n).*?(<!-- end of words -->)", re.DOTALL)


def main() -> None:
    for page in sorted(GUIDE.glob("from-*.md")):
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """The page with its tables."""
    return _TABLE.sub(lambda each: f"{each[1]}\n{words(each[2], each[3])}\n\n{each[4]}", text)


def words(tool: str, group: str) -> str:
    """The table of a group of words."""
    listed = WORDS[tool][group].split()
    turned = _turned(tool) if group == "arguments" else {}
    rows = [
        (f"`{word}`", turned.get(word) or _answer(word, SECTIONS[group]) or "not known")
        for word in listed
    ]
    return table(("there", "here"), rows)


def _turned(tool: str) -> dict[str, str]:
    """The arguments of a tool's layers that are 1 minus what they are here."""
    return {
        theirs: f"`{ours[2:]}`, which is 1 minus it: 0.99 is `{ours[2:]}=0.01`"
        for word in WORDS[tool]["layers"].split()
        for theirs, ours in getattr(foreign_layer(word), "parameters", ())
        if ours.startswith("1-")
    }


def unanswered() -> Iterator[tuple[str, str, str]]:
    """The words without an answer: tool, group, word."""
    for tool, groups in WORDS.items():
        for group, listed in groups.items():
            for word in listed.split():
                if not _answer(word, SECTIONS[group]):
                    yield tool, group, word


def _answer(word: str, where: str) -> str:
    """What is written here, and advice; the meaning in the fitting part of a spec goes first."""
    own = _argument(word) if where == "argument" else _own(word, where)
    if own:
        return own if where == "argument" else f"`{own}`"
    # Preprocessing has words of augmentation, and hardly any of a network.
    known = sorted(meanings(word), key=lambda each: (each.where != where, each.where == "network"))
    return _sentence(known[0], where) if known else ""


def _own(word: str, where: str) -> str:
    """The word, if a section of a spec has the same one."""
    for known in DIRECTIVES.get(where, {}).values():
        first = known.word.split(" ", 1)[0]
        if folded(word) in map(folded, (first, known.word, *known.synonyms)):
            return first
    return ""


def _argument(word: str) -> str:
    """What the argument is called here, by the first usual layer that has it."""
    if word in PARTS:
        return f"`{PARTS[word][0]}`, as a size: `{PARTS[word][0]}=3x1`"
    for layer in _USUAL:
        name = argument(word, REGISTRY[layer].fields)
        if name:
            return f"`{name}`"
    return ""


def _sentence(meaning: Meaning, where: str) -> str:
    if meaning.advice.startswith("give it to"):
        return meaning.advice
    parts = [f"`{meaning.instead}`"] if meaning.instead else []
    if meaning.instead and meaning.where not in (where, "network", "argument"):
        parts = [f"`{meaning.where} {{ {meaning.instead} }}`"]
    return "; ".join([*parts, meaning.advice] if meaning.advice else parts)


if __name__ == "__main__":
    main()
