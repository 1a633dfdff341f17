"""Every layer of Keras, torch, Caffe and Darknet, as a word in a network: what is said of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from dotcnn.compiler.diagnose.foreign_words import meanings
from dotcnn.compiler.diagnose.trial import apply
from dotcnn.compiler.language.foreign import folded
from dotcnn.compiler.language.vocabulary import SECTIONS, layer_words
from foreign_corpus import changed_lines, errors, network

NAMES = {
    "keras": """
        Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
        AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D
        AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix
        AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D
        AvgPool2D AvgPool3D BatchNormalization Bidirectional CategoryEncoding CenterCrop
        Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
        ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D
        Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D Cropping2D
        Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout
        ELU EinsumDense Embedding Equalization Flatten FlaxLayer GRU GRUCell GaussianDropout
        GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
        GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D
        GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
        GroupNormalization GroupQueryAttention HashedCrossing Hashing Identity Input
        InputLayer InputSpec IntegerLookup JaxLayer LSTM LSTMCell Lambda Layer
        LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D
        MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum
        MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline
        RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
        RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing
        RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
        RandomPerspective RandomPosterization RandomRotation RandomSaturation
        RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling
        Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D
        SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax
        Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D
        SpectralNormalization StackedRNNCells StringLookup Subtract TFSMLayer
        TextVectorization ThresholdedReLU TimeDistributed TorchModuleWrapper
        UnitNormalization UpSampling1D UpSampling2D UpSampling3D Wrapper ZeroPadding1D
        ZeroPadding2D ZeroPadding3D LocallyConnected1D LocallyConnected2D AbstractRNNCell
        add average concatenate dot maximum minimum multiply subtract celu elu exponential
        gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
        log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax
        softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
        tanh_shrink threshold
    """,
    "torch.nn": """
        AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveLogSoftmaxWithLoss
        AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d AlphaDropout AvgPool1d
        AvgPool2d AvgPool3d BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d BatchNorm3d
        Bilinear CELU CTCLoss ChannelShuffle CircularPad1d CircularPad2d CircularPad3d
        ConstantPad1d ConstantPad2d ConstantPad3d Container Conv1d Conv2d Conv3d
        ConvTranspose1d ConvTranspose2d ConvTranspose3d CosineEmbeddingLoss CosineSimilarity
        CrossEntropyLoss CrossMapLRN2d DataParallel Dropout Dropout1d Dropout2d Dropout3d
        ELU Embedding EmbeddingBag FeatureAlphaDropout Flatten Fold FractionalMaxPool2d
        FractionalMaxPool3d GELU GLU GRU GRUCell GaussianNLLLoss GroupNorm Hardshrink
        Hardsigmoid Hardswish Hardtanh HingeEmbeddingLoss HuberLoss Identity InstanceNorm1d
        InstanceNorm2d InstanceNorm3d KLDivLoss L1Loss LPPool1d LPPool2d LPPool3d LSTM
        LSTMCell LayerNorm LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d
        LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
        LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear LeakyReLU Linear
        LinearCrossEntropyLoss LocalResponseNorm LogSigmoid LogSoftmax MSELoss
        MarginRankingLoss MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d
        Mish Module ModuleDict ModuleList MultiLabelMarginLoss MultiLabelSoftMarginLoss
        MultiMarginLoss MultiheadAttention NLLLoss NLLLoss2d PReLU PairwiseDistance
        ParameterDict ParameterList PixelShuffle PixelUnshuffle PoissonNLLLoss RMSNorm RNN
        RNNBase RNNCell RNNCellBase RReLU ReLU ReLU6 ReflectionPad1d ReflectionPad2d
        ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d SELU Sequential
        SiLU Sigmoid SmoothL1Loss SoftMarginLoss Softmax Softmax2d Softmin Softplus
        Softshrink Softsign SyncBatchNorm Tanh Tanhshrink Threshold Transformer
        TransformerDecoder TransformerDecoderLayer TransformerEncoder
        TransformerEncoderLayer TripletMarginLoss TripletMarginWithDistanceLoss Unflatten
        Unfold Upsample UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d ZeroPad2d
        ZeroPad3d
    """,
    "torch.nn.functional": """
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
        adaptive_max_pool1d_with_indices adaptive_max_pool2d
        adaptive_max_pool2d_with_indices adaptive_max_pool3d
        adaptive_max_pool3d_with_indices affine_grid alpha_dropout avg_pool1d avg_pool2d
        avg_pool3d batch_norm bilinear binary_cross_entropy binary_cross_entropy_with_logits
        celu celu_ channel_shuffle conv1d conv2d conv3d conv_tbc conv_transpose1d
        conv_transpose2d conv_transpose3d cosine_embedding_loss cosine_similarity
        cross_entropy ctc_loss dropout dropout1d dropout2d dropout3d elu elu_ embedding
        embedding_bag feature_alpha_dropout fold fractional_max_pool2d
        fractional_max_pool2d_with_indices fractional_max_pool3d
        fractional_max_pool3d_with_indices gaussian_nll_loss gelu glu grid_sample group_norm
        grouped_mm gumbel_softmax hardshrink hardsigmoid hardswish hardtanh hardtanh_
        hinge_embedding_loss huber_loss instance_norm interpolate kl_div l1_loss layer_norm
        leaky_relu leaky_relu_ linear linear_cross_entropy local_response_norm log_softmax
        logsigmoid lp_pool1d lp_pool2d lp_pool3d margin_ranking_loss max_pool1d
        max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d
        max_pool3d_with_indices max_unpool1d max_unpool2d max_unpool3d mish mse_loss
        multi_head_attention_forward multi_margin_loss multilabel_margin_loss
        multilabel_soft_margin_loss native_channel_shuffle nll_loss normalize one_hot pad
        pairwise_distance pdist pixel_shuffle pixel_unshuffle poisson_nll_loss prelu relu
        relu6 relu_ rms_norm rrelu rrelu_ scaled_dot_product_attention scaled_grouped_mm
        scaled_mm selu selu_ sigmoid silu smooth_l1_loss soft_margin_loss softmax softmin
        softplus softshrink softsign tanh tanhshrink threshold threshold_
        triplet_margin_loss triplet_margin_with_distance_loss unfold upsample
        upsample_bilinear upsample_nearest
    """,
    "caffe": """
        AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss
        Convolution Crop Data Deconvolution Dropout DummyData ELU Eltwise Embed
        EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData
        InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData
        MultinomialLogisticLoss PReLU Parameter Pooling Power Python RNN ReLU Recurrent
        Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax
        SoftmaxLoss SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData CONVOLUTION
        POOLING INNER_PRODUCT RELU SOFTMAX_LOSS DATA DROPOUT LRN CONCAT SIGMOID TANH ELTWISE
        Permute PriorBox DetectionOutput MultiBoxLoss Normalize Interp Upsample
        ShuffleChannel DepthwiseConvolution ConvolutionDepthwise ROIPooling Axpy CReLU RReLU
    """,
    "darknet": """
        shortcut scale_channels sam crop cost detection region yolo Gaussian_yolo local conv
        convolutional activation net network crnn gru lstm conv_lstm rnn conn connected max
        maxpool local_avg local_avgpool reorg3d reorg avg avgpool dropout lrn normalization
        batchnorm soft softmax route upsample empty deconvolutional deconv l2norm logistic
        logxent iseg loggy ramp relie plse hardtan lhtan stair elu selu leaky tanh relu
        linear mish swish hard_mish gelu relu6 implicit_add implicit_mul contrastive history
        normalize_channels
    """,
}
"""Layers of `keras.layers` (3, and what 2 had beside them), `keras.activations`, classes of
`torch.nn`, functions of `torch.nn.functional`, types of Caffe's layers (also of version 1, and of
the forks for detection), and sections and activations of Darknet's `.cfg` files."""

_OURS = {*layer_words(), *SECTIONS, "network"}


def has_an_answer(name: str) -> bool:
    """Whether a name is one of ours, or stands in a table; not whether it resembles one."""
    return name in _OURS or bool(meanings(name))


@pytest.mark.parametrize("tool", NAMES)
def test_every_layer_has_an_answer_of_its_own(tool: str) -> None:
    assert [name for name in NAMES[tool].split() if not has_an_answer(name)] == []


def test_so_have_those_of_the_installed_torch() -> None:
    nn = pytest.importorskip("torch.nn")
    modules = [name for name, kind in inspect.getmembers(nn, inspect.isclass)
               if issubclass(kind, nn.Module)]  # fmt: skip
    assert len(modules) > 140
    assert [name for name in modules if not has_an_answer(name)] == []


def test_answers(golden: Callable[[str, str], None]) -> None:
    """Each answer, and what the network's line is with it; whoever does it is not told it again."""
    table = []
    seen = set()
    for tool, names in NAMES.items():
        table.append(f"# {tool}")
        for name in names.split():
            if name in _OURS or folded(name) in seen:
                continue
            seen.add(folded(name))
            text = network(name)
            found = [one for one in errors(text) if one.code != "shape"][:1]
            table += [f"{name}: {one.help or one.message}" for one in found]
            for one in [one for one in found if one.edits]:
                mended = apply(text, one.edits)
                table.append(f"    -> {changed_lines(text, mended)}")
                assert {one.code for one in errors(mended)} <= {"shape"}, name
    golden("foreign_layers.txt", "\n".join(table) + "\n")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("AveragePooling1D", "`pool avg 2`"),
        ("GlobalAvgPool3D", "`pool avg global, flatten`"),
        ("BatchNorm3d", "`bn`"),
        ("ReflectionPad3d", "`pad 2 mode=reflect`"),
        ("Convolution1D", "`conv 64`"),
        ("Conv1DTranspose", "`deconv "),
        ("UpSampling1D", "`upsample 2`"),
        ("Equalization", "in `augment`"),
        ("AugMix", "`augment { randaugment }`"),
        ("RMSNormalization", "`rmsnorm`"),
        ("GRN", "`grn`"),
        ("Scale", "`scale per=channel`"),
        ("StarReLU", "`relu, square, scale, bias`"),
        ("Lambda", "a function of your own"),
        ("RandomContrast", "contrast=0.2"),
        ("MaxPool2d", "`pool max 2x2`"),
        ("ReflectionPad2d", "`pad 2 mode=reflect`"),
        ("Permute", "`permute (0, 2, 1)`"),
        ("AdaptiveMaxPool2d", "`pool max global`"),
        ("BCEWithLogitsLoss", "`loss bce`"),
    ],
)
def test_what_is_said(name: str, told: str) -> None:
    assert told in (errors(network(name))[0].help or "")
