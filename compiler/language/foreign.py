"""Foreign words: the names that Keras, torch, Caffe, Darknet, fastai and others have for layers and
arguments. A layer or directive lists its names in other tools itself (`elsewhere`); this module
collects them and looks them up, together with names of arguments, words that a spec does not need,
and words without an equivalent. `elsewhere` of a layer maps its text in a spec to names, separated
by blanks. A name may include its signature in the other tool, so that positional arguments can be
identified:

    "pool max": "MaxPooling2D(pool_size,strides,padding) MaxPool2d(kernel_size,stride,padding)"

`size>to` in a signature: this argument is called `to` here, whatever `size` means to others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from ..ops import REGISTRY
from ..ops.base import Op
from .words_in_force import cached_by_words

ARGUMENTS: Mapping[str, str] = {
    "out": "filters out_channels out_features out_planes nb_filter nb_filters num_output"
    " num_filters num_outputs n_filters n_output units nout output features width planes"
    " out_dim output_dim output_channels channels_out nf size_out feature_maps n_out hidden_units",
    "kernel": "kernel_size ksize ks kernelsize size k pool_size filter_size window window_size"
    " kernel_shape f pooling_size poolsize kernels filter_shape psize",
    "stride": "strides subsample s step kernel_stride stride_size subsampling",
    "pad": "padding p pads paddings pad_size",
    "output_pad": "output_padding outpad",
    "dilation": "dilation_rate dilations d atrous_rate hole",
    "groups": "group num_groups cardinality g ngroups n_groups",
    "multiplier": "depth_multiplier channel_multiplier",
    "bias": "use_bias bias_term has_bias with_bias biases",
    "mode": "padding_mode interpolation interpolation_mode",
    "ceil": "ceil_mode",
    "count_pad": "count_include_pad",
    "adaptive": "output_size",
    "p": "rate prob probability dropout_ratio dropout_rate drop_prob drop_rate drop_path_rate drop"
    " dropout",
    "eps": "epsilon variance_epsilon bn_eps",
    "momentum": "bn_momentum",
    "affine": "elementwise_affine use_affine",
    "track": "track_running_stats",
    "slope": "negative_slope alpha leakiness leak negval",
    "factor": "scale_factor upscale_factor scale size stride",
    "to": "target_shape output_shape shape dims target_size",
    "by": "padding pad",
    "axes": "perm order permutation",
    "size": "local_size n nsize depth_radius window_size kernel_size ksize hsize",
    "init": "init_values init_value init_scale",
    "avg": "average mean",
}
"""Arguments of layers: the name here, and names in other tools.

The first that a layer has applies.
"""

PARTS: Mapping[str, tuple[str, int]] = {
    name: (ours, axis)
    for ours, names in {
        "kernel": ("kernel_h kernel_w", "nb_row nb_col", "kh kw", "pool_h pool_w"),
        "stride": ("stride_h stride_w", "sh sw", "stride_y stride_x", "dh dw"),
        "pad": ("pad_h pad_w", "ph pw", "padh padw"),
    }.items()
    for pair in names
    for axis, name in enumerate(pair.split())
}
"""Arguments that set one side of a size."""

ACTIVATION = frozenset(
    {"activation", "act", "activation_fn", "act_layer", "nonlinearity", "act_cls"}
)
"""Arguments that add an activation after their layer."""

PADDING = frozenset({"pad", "padding", "border_mode", "pad_mode", "auto_pad"})
"""Arguments that may take a word: `same`, `valid`."""

NOTHING_TO_PAD = frozenset({"valid", "none", "no"})
SAME_WORDS = frozenset({"same", "sameupper", "half"})
PADDING_MODES = {
    "reflect": "reflect", "reflection": "reflect", "replicate": "replicate", "edge": "replicate",
    "circular": "circular", "wrap": "circular",
}  # fmt: skip
"""Words for what padding is filled with."""

NOT_AVAILABLE = {
    "samelower": "padding more above and to the left is not available; where the kernel is odd and"
    " the stride 1, `same` gives the same result",
    "causal": "write it before the layer, for a filter of 3: `pad left=2`, and with a dilation that"
    " times the dilation",
    "full": "full padding is the size of the kernel less one: `pad=2` for a kernel of 3x3",
}
"""Words for padding without an equivalent."""

FLAGS = dict.fromkeys(("nobias", "withoutbias", "biasfree"), "bias=off")
"""Bare words among the arguments of a layer, and what is written for them."""
LINEAR = frozenset({"linear", "none", "identity"})
"""Activations that do nothing."""

LEFT_OUT = """
the initialization of weights is set once for the whole network: `init he`
    kernel_initializer bias_initializer weight_filler bias_filler init depthwise_initializer
    pointwise_initializer beta_initializer gamma_initializer moving_mean_initializer
    moving_variance_initializer weights_initializer W_init b_init initializer kernel_init
    bias_init weight_init
the input shape is inferred
    input_shape in_channels in_features input_dim batch_input_shape in_planes nin ni inplanes
    channels_in num_channels num_features normalized_shape input_channels batch_shape
    num_parameters in_dim in_chans
weight decay is set at the optimizer: `optimizer sgd weight_decay=5e-4` in `train`
    kernel_regularizer bias_regularizer activity_regularizer W_regularizer b_regularizer
    depthwise_regularizer pointwise_regularizer beta_regularizer gamma_regularizer
    weight_decay decay_mult regularizer l2 weights_regularizer
learning rates of single layers are set in `transfer { lr … }`
    lr_mult blobs_lr trainable requires_grad param learning_rate
shapes are channels x height x width everywhere
    data_format dim_ordering channels_last channels_first axis dim start_dim end_dim
    shared_axes
it has no effect here
    inplace dtype device engine seed noise_shape training return_indices divisor_override
    norm_layer name_scope reuse random_seed
constraints on weights are not supported
    kernel_constraint bias_constraint depthwise_constraint pointwise_constraint
    beta_constraint gamma_constraint W_constraint b_constraint
"""
"""Arguments of layers that a spec does not need, by the reason."""

NO_LAYER = """
write `input 3x224x224` (channels x height x width) as the network's first line
    Input InputLayer placeholder ImageInputLayer input_data InputSpec Data data_layer
    MemoryData ImageData HDF5Data
    DummyData WindowData
give the layers labels (`a: conv 64`), then write `concat a b`; or write paths side by side:
  `concat { | path | path }`
    Concatenate Concat concatenate cat route torch_cat Concat_ merge Merge DepthConcat ConcatTable
    FilterConcat hstack JoinTable
give the layers labels, then write `maximum a b`; or write paths side by side:
  `maximum { | path | path }`
    Maximum
this merge is not available: there are `add`, `mul`, `maximum` and `concat`
    pdist
    Minimum minimum Subtract subtract sub Dot CosineSimilarity PairwiseDistance CosineDistance
an average of layers is not available: `add a b` gives their sum, which differs by a factor
    Average
parts of a layer's channels are taken by `split { | path | path }`
    Slice slice chunk narrow
write what is added into `residual { … }`, or give the layers labels and write `add a b`
    Eltwise Add eltwise shortcut sum_layer skip skip_connection CAddTable residual_block
    residual_connection ElementWiseSum ElemwiseSum Sum sum local_add
write `gate { … }`, or give the layers labels and write `mul a b`
    Multiply Mul multiply scale_channels sam CMulTable Axpy
write `gate { pool avg global, conv 4 1x1, relu, conv 16 1x1, sigmoid }`, here for 16 channels
    SEBlock SqueezeExcite SqueezeExcitation se_block se SELayer se_layer SEModule se_module
    squeeze_excite squeeze_excitation squeeze_and_excite
it is a block of the gallery: with `import "resnet/blocks.cnn"` at the top of the file, it is
  written `basic 64 stride=2`
    BasicBlock basic_block basic res_block ResBlock resnet_block
it is a block of the gallery: with `import "resnet/blocks.cnn"` at the top of the file, it is
  written `bottleneck 64 stride=2`, for 256 channels
    bottleneck bottleneck_block BottleneckBlock
it is a block of the gallery: with `import "efficientnet/blocks.cnn"` at the top of the file, it is
  written `mbconv 24 kernel=3 expand=6 stride=2`
    mbconv InvertedResidual inverted_residual
write `conv 64 3x3 same, bn, relu`
    conv_block ConvBlock conv_bn conv_bn_relu ConvBNReLU ConvNormActivation Conv2dNormActivation
    ConvNormAct
it is made of several layers: write it out as a block, as specs of the gallery do (`cnn gallery`)
    fused_mbconv DenseBlock dense_block transition_layer TransitionLayer ghost GhostModule CSP C3
    C2f DarknetBottleneck InceptionModule inception_module EcaModule CbamModule AttentionPool2d Mlp
write both pools side by side: `concat { | pool max global | pool avg global }`
    AdaptiveConcatPool2d SelectAdaptivePool2dCatAvgMax
write `conv 16 1x1, relu, concat { | conv 64 1x1, relu | conv 64 3x3 same, relu }`
    fire FireModule fire_module
write `conv 32 3x3 groups=4`
    grouped_conv group_conv GroupConv GroupedConv2D grouped_convolution
take it out; where a path of `add` or `concat` is to change nothing, leave the path empty: `|`
    Identity noop no_op passthrough Blob Silence Permute_ Split
take it out: layers follow one another in the order written
    Sequential Model Module ModuleList Functional model net nn keras tf layers add_module
    forward super
    Container ModuleDict ParameterDict ParameterList Parameter Layer Wrapper
    HDF5Output DataParallel SequentialModule history empty
take it out: the output is the result of the last line
    return
the fields of a layer of Caffe are its arguments here: `conv 32 3x3 stride=2`
    convolution_param pooling_param inner_product_param lrn_param dropout_param relu_param
    batch_norm_param scale_param eltwise_param concat_param softmax_param prelu_param elu_param
    reshape_param slice_param crop_param bias_param loss_param
write `input 3x224x224` (channels x height x width) as the network's first line
    input_param input_shape data_param transform_param image_data_param
the output is the result of the last line: write the layer itself, `fc 10` for 10 outputs
    output outputs out logits classifier prediction predictions
`bn` has a scale and a bias of its own (`affine=on`); elsewhere write `scale per=channel`, and
  `bias per=channel` after it
    Scale Affine ScaleLayer
losses go in `train`: `loss cross_entropy`; the network ends in `fc classes`
    kl_div linear_cross_entropy
    softmax_loss SoftmaxWithLoss SoftmaxLoss EuclideanLoss HingeLoss
    ContrastiveLoss InfogainLoss MultinomialLogisticLoss cost CrossEntropyLoss NLLLoss
    MSELoss criterion loss_fn logxent
    AdaptiveLogSoftmaxWithLoss CTCLoss CosineEmbeddingLoss GaussianNLLLoss
    HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss MarginRankingLoss
    MultiLabelMarginLoss MultiMarginLoss NLLLoss2d PoissonNLLLoss
    SmoothL1Loss SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss contrastive
losses go in `train`: `loss bce`; the network ends in `fc classes`
    BCELoss BCEWithLogitsLoss binary_cross_entropy_with_logits SigmoidCrossEntropyLoss
    MultiLabelSoftMarginLoss
training is started by `cnn train`; its settings go in `train { epochs 10, batch 64 }`
    fit fit_generator train_on_batch
metrics go in `train`: `metrics top1 top5`
    Accuracy accuracy ArgMax
what follows the heads of a detector is not a network: write its heads as outputs, such as
  `output boxes: conv 36 3x3 same`
    MultiBoxLoss
    yolo region detection Detection DetectionOutput PriorBox RPN RoIPool RoIAlign ROIPooling
    anchors iseg Gaussian_yolo nms
write `conv 64 3`: of a series it has 3 steps, of a volume 3 along each axis
    conv_tbc VolumetricConvolution TemporalConvolution
there are no recurrent layers here: networks are made of convolutions
    LSTMUnit AbstractRNNCell
    LSTM GRU RNN SimpleRNN LSTMCell GRUCell RNNCell ConvLSTM2D Bidirectional TimeDistributed
    crnn CuDNNLSTM conv_lstm
    RNNBase RNNCellBase ConvLSTM1D ConvLSTM3D SimpleRNNCell StackedRNNCells Recurrent
there are no whole transformers here; their attention is `attention heads=8`
    multi_head_attention_forward AdditiveAttention Transformer
    TransformerEncoder TransformerEncoderLayer TransformerDecoder TransformerDecoderLayer
    PatchEmbed GroupQueryAttention
its projections are layers of their own here: write
  `conv 3*channels 1x1, attention heads=4, conv channels 1x1`
    MultiheadAttention MultiHeadAttention Attention SelfAttention MHSA Attention2d
    multi_head_attention self_attention
give the layers labels, then write `attention heads=4 { | from q | from k | from v }`; or write
  `conv 3*channels 1x1, attention heads=4`, where one convolution computes all three
    scaled_dot_product_attention
all heads read the same keys and values: write
  `attention heads=4 { | conv channels 1x1 | conv channels//4 1x1 | conv channels//4 1x1 }`, and
  `conv channels 1x1` after it
    MultiQueryAttention2d
write `residual { conv 3*channels 1x1, attention, conv channels 1x1 }`
    NonLocal
its projection is a layer of its own here: write
  `conv 3*channels 1x1, attention heads=4 position=relative`
    BottleneckAttn
its projection is a layer of its own here: write
  `conv 3*channels 1x1, attention heads=4 position=relative windows=8 halo=3`
    HaloAttn
its projections are layers of their own here: write
  `conv 3*channels 1x1, cross_covariance heads=4, conv channels 1x1`
    XCA CrossCovarianceAttn xca channel_self_attention
its projections are layers of their own here: write
  `conv 3*channels 1x1, depthwise 3x3 same, cross_covariance heads=4, conv channels 1x1`
    MDTA
its projection is a layer of its own here: write
  `conv (4*16 + 16 + channels//4) 1x1, lambda_layer heads=4 key=16 kernel=9`
    LambdaLayer LambdaConv lambda_conv
write `bilinear_attention 8 { | | pool max adaptive=8x1, conv 64 8x1 | pool max adaptive=1x8,
  conv 64 1x8 }`: the body computes both matrices
    BilinearAttnTransform BatNonLocalAttn
give the layers labels, then write `matmul { | from a | from b }`: the product of two maps, each
  a matrix of channels by places
    MatMul Matmul bmm einsum
a body computes the shifts, two for each element of the filter: write
  `deform 32 3x3 same { conv 18 3x3 same }`
    DeformConv2d deform_conv2d DeformConv DeformableConv2d DCN deformable_conv
a body computes the shifts and weights, three numbers for each element of the filter: write
  `deform 32 3x3 same modulated { conv 27 3x3 same }`
    ModulatedDeformConv2d
a body computes the filters, a channel for each of their elements: write
  `involution 7x7 same { conv channels//4 1x1, bn, relu, conv 49 1x1 }`
    Involution Involution2d involution2d
this attention is written out here; `gate { … }` reweights channels
    cbam
there are no embeddings here: an input is an image, a series, a scan, or plain numbers
    ReversibleEmbedding one_hot
    Embedding EmbeddingBag CategoryEncoding TextVectorization StringLookup Hashing
    IntegerLookup Masking
    Discretization HashedCrossing Embed RepeatVector
a bilinear form of two layers is not available: write `mul a b`, or `concat a b` and `fc 64`
    Bilinear
write `relu, square, scale, bias`
    StarReLU star_relu
write `relu, square`
    SquaredReLU squared_relu relu_squared relu2 ReLUSquared
write `scale, bias`
    LearnableAffineBlock LAB
there is no such activation here; `tanh` comes closest
    lhtan
    Hardtanh hard_tanh hardtan ClippedReLU Tanhshrink LogSigmoid ScaledTanh
    scaled_tanh
    Clip
there is no such activation here; `elu` comes closest
    CELU celu loggy plse exponential elu_plus
there is no such activation here; `leaky` comes closest
    RReLU rrelu Threshold ThresholdedReLU ramp hardshrink Hardshrink Softshrink softshrink
    relie stair normalize_channels CReLU crelu
write `maximum { | conv channels 1x1 | conv channels 1x1 }`: the larger of two maps
    maxout Maxout
write `maximum { | fc 64 | fc 64 }`: the larger of two
    MaxoutDense
write `mul { | conv channels 1x1 | conv channels 1x1, sigmoid }`
    GLU glu
there is no such layer here; `gate { conv channels 1x1, sigmoid }` reweights channels
    Highway
take it out: `loss cross_entropy` has it, and the network ends in `fc classes`
    LogSoftmax log_softmax
there is no unpooling here: write `upsample 2`, or `deconv channels 2x2 stride=2`
    MaxUnpool1d MaxUnpool3d
    MaxUnpool2d MaxUnpool2D Unpooling
write `space_to_depth 2` for a stride of 2; Darknet has the channels in another order
    reorg reorg_old reorg3d
overlapping patches do not become channels here: `space_to_depth 2` moves blocks of pixels
    Fold Unfold Im2col
write `pool stochastic 2x2`, which is random too
    fractional_max_pool2d_with_indices fractional_max_pool3d
    fractional_max_pool3d_with_indices
    FractionalMaxPool2d FractionalMaxPool3d fractional_max_pool2d
write what is cut off at each side, `crop top=2 bottom=2 left=2 right=2`, or the size of the
  result, `crop 24x24`
    Cropping2D cropping Cropping3D
write what is cut off at each side, `crop left=2 right=2`; `crop right=12` cuts off the end alone
    Cropping1D Chomp1d
write `dropout2d 0.1`, which drops whole channels
    DropBlock DropBlock2d DropBlock2D drop_block dropblock
the initialization of weights is set once for the whole network: `init he`
    xavier msra
    kaiming_normal_ kaiming_normal xavier_uniform_ xavier_uniform xavier_normal he_normal
    he_uniform glorot_uniform glorot_normal lecun_normal kaiming_uniform
write `augment { noise 0.05 }`
    GaussianNoise gaussian_noise
write `evaluate { normalize none }`: pixels are then from 0 to 1
    Rescaling rescaling rescale
write `evaluate { normalize measured }`
    Normalization Normalization_layer Standardize
weights are not normalized here: `bn` normalizes what a layer computes
    SpectralNorm spectral_norm weight_norm WeightNormalization
    WeightNorm
    SpectralNormalization parametrize
penalties on what layers compute are not available: `dropout 0.5` regularizes, too
    ActivityRegularization
there is no such layer here; `bn` comes closest
    UnitNormalization
    MVN l2norm
images are normalized in `evaluate`: `normalize imagenet`; of layers, `bn` comes closest
    Normalize
there is no such layer here; `conv 64 3x3` shares its weights among all positions
    local LocallyConnected1D LocallyConnected2D locally_connected
write the activation itself: `relu`
    activation Activation act act_layer activation_layer nonlinearity
write `pool avg 2x2`, or `pool avg global`
    local_avgpool local_avg Reduction
write `upsample 2`
write out the layers of such a head: `conv 256 1x1`, `upsample 2`, `concat`
    ASPP FPN PAN feature_pyramid DeepLabHead FCNHead
there is no such activation here; `softplus` comes closest
    squareplus sparse_plus sparseplus
there is no such activation here; `hardsigmoid` comes closest
    sparse_sigmoid
there is no such activation here; `mish` comes closest
    hard_mish
there is no such activation here; `softmax` comes closest
    Softmin
    sparsemax gumbel_softmax
a function of your own is not available: a spec is made of the layers that `cnn help` lists
    Lambda Python BatchReindex FlaxLayer JaxLayer TorchModuleWrapper TFSMLayer
there is no random noise between layers; `dropout 0.5` comes closest
    GaussianDropout
maps are not repeated side by side here; `upsample 2` enlarges each pixel
    Tile
there is no such function of single numbers here; `cnn help` lists the activations
    Exp Log Power
there is no such transformation here; images are turned and moved by `augment`
    affine_grid grid_sample
products with weights are `fc 64` and `conv 64 1x1`; write `matmul { | path | path }` for those of
  two maps
    EinsumDense
    grouped_mm scaled_mm scaled_grouped_mm
images are always shuffled before each epoch; `shuffle 2` shuffles channels
    reshuffle
"""
"""Words without a corresponding layer, by what to do instead."""

_CLASSES = frozenset({"numclasses", "nclasses", "nbclasses", "nclass", "numclass", "nc"})


class Meaning(NamedTuple):
    """The meaning of a foreign word in a network."""

    instead: str
    """What to write instead: `pool avg global`; "" if there is no equivalent."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Its arguments in the order of the other tool: the name there, and the name here if it
    differs.
    """
    advice: str = ""
    """Advice, if there is no equivalent."""
    axes: int = 2
    """The number of spatial axes: 1 of `Conv1d`."""

    @property
    def kind(self) -> type[Op]:
        """The operation."""
        return REGISTRY[self.word]

    @property
    def word(self) -> str:
        """The operation's words: `pool avg` of `pool avg global`."""
        two = " ".join(self.instead.split(" ")[:2])
        return two if two in REGISTRY else self.instead.split(" ", 1)[0]

    @property
    def further(self) -> str:
        """The text after them: `global`."""
        return self.instead[len(self.word) :].partition(",")[0].strip()

    @property
    def then(self) -> str:
        """The layer that follows: `flatten` of `pool avg global, flatten`."""
        return self.instead.partition(", ")[2]


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """A name in lower case without `_` and `-`, which tools write differently."""
    return name.lower().replace("_", "").replace("-", "")


def names_of(kind: type[Op]) -> Iterator[tuple[str, str]]:
    """The names of an operation in other tools, each with its text in a spec."""
    for instead, names in vars(kind).get("elsewhere", {}).items():
        for written in names.split():
            name, _, inside = written.partition("(")
            if not _is_call(inside):
                yield name, instead


def _is_call(inside: str) -> bool:
    """Whether the parentheses contain a value and not a signature: `ReLU(6)`, `MaxPooling2D()`."""
    return inside[:1].isdigit() or "=" in inside or inside == ")"


@cached_by_words
def _layers() -> tuple[dict[str, Meaning], dict[str, Meaning]]:
    """All foreign layers, by their name as written and by their folded name."""
    exact: dict[str, Meaning] = {}
    loosely: dict[str, Meaning] = {}
    for word, kind in REGISTRY.items():
        if " " not in word and kind.kind not in ("merge", "input"):  # these need names or paths
            loosely.setdefault(folded(word), Meaning(word))
        for instead, names in vars(kind).get("elsewhere", {}).items():
            for written in names.split():
                name, _, inside = written.partition("(")
                if _is_call(inside):
                    exact[written] = Meaning(instead)
                    continue
                parameters = tuple(
                    (theirs, ours)
                    for theirs, _, ours in (
                        p.partition(">") for p in inside.rstrip(")").split(",") if p
                    )
                )
                for each, meaning in _on_all_axes(kind, name, Meaning(instead, parameters)):
                    exact.setdefault(each, meaning)
                    known = loosely.get(folded(each))
                    if known is None or (parameters and not known.parameters):
                        loosely[folded(each)] = meaning
    for name, advice in table(NO_LAYER).items():
        exact.setdefault(name, Meaning("", advice=advice))
        loosely.setdefault(folded(name), Meaning("", advice=advice))
    return exact, loosely


def _on_all_axes(kind: type[Op], name: str, meaning: Meaning) -> Iterator[tuple[str, Meaning]]:
    """A name, and those of the same layer on series and volumes: `Conv2d`, `Conv1d`, `Conv3d`. One
    number is for all axes there.
    """
    yield name, meaning
    if not _TWO_AXES.search(name):
        return
    for axes in kind.spatial_axes:
        if axes != 2:
            instead = one_for_all(meaning.instead)
            other = _TWO_AXES.sub(str(axes), name)
            yield other, meaning._replace(instead=instead, axes=axes)


_TWO_AXES = re.compile(r"2(?=[dD](?:\b|[_A-Z]))")
_SQUARE = re.compile(r"\b(\d+)x\1\b")


def one_for_all(text: str) -> str:
    """`conv 64 3` for `conv 64 3x3`."""
    return _SQUARE.sub(r"\1", text)


def layer(name: str, call: str = "") -> Meaning | None:
    """The meaning of a foreign word in a network; `call` is the word with its arguments."""
    exact, loosely = _layers()
    return exact.get(call) or exact.get(name) or loosely.get(folded(name))


@cached_by_words
def known_layers() -> Mapping[str, Meaning]:
    """All foreign words for layers, as their tools write them."""
    return {name: meaning for name, meaning in _layers()[0].items() if "(" not in name}


def example(meaning: Meaning) -> str:
    """What is written instead of a word that came without the size its layer needs: `pool max 2x2`,
    `pad 2 mode=reflect`.
    """
    kind = meaning.kind
    if meaning.further == "global" or not kind.example.startswith(kind.word):
        return meaning.instead
    size = "2x2" if kind.kind == "pool" else kind.example[len(kind.word) :]
    size = size if meaning.axes == 2 else one_for_all(size)
    values = [part for part in size.split() if "=" not in part]
    return " ".join([kind.word, *values, *meaning.further.split()])


@lru_cache(maxsize=1)
def _arguments() -> dict[str, list[str]]:
    by_name: dict[str, list[str]] = {}
    for ours, names in ARGUMENTS.items():
        for name in names.split():
            by_name.setdefault(folded(name), []).append(ours)
    return by_name


@lru_cache(maxsize=1)
def _left_out() -> dict[str, str]:
    return {folded(name): why for name, why in table(LEFT_OUT).items()}


def table(text: str) -> dict[str, str]:
    """Reads a table of sentences, each followed by an indented list of the names it applies to;
    returns it by name.
    """
    by_name: dict[str, str] = {}
    sentence = ""
    for line in text.strip().splitlines():
        if line.startswith("    "):
            by_name.update(dict.fromkeys(line.split(), sentence))
        else:
            sentence = f"{sentence} {line.strip()}" if line.startswith(" ") else line
    return by_name


def argument(name: str, fields: Mapping[str, object]) -> str:
    """The name of a foreign argument among the given ones; "" if there is none."""
    if name in fields:
        return name
    plain = {folded(field): field for field in fields}
    candidates = [*_arguments().get(folded(name), ()), plain.get(folded(name), "")]
    return next((ours for ours in candidates if ours in fields), "")


def why_left_out(name: str) -> str:
    """Why a foreign argument is not needed; "" if it is unknown."""
    return _left_out().get(folded(name), "")


def is_number_of_classes(name: str) -> bool:
    """Whether it is a foreign name of the number of classes."""
    return folded(name) in _CLASSES
