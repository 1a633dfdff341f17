"""Normalization, and dropout."""

from __future__ import annotations

from ...shapes import Shape, axes_of, size
from ..graph import Result
from .call import Call, reads
from .tracer import Value

EPS = 1e-3
"""Keras' default, of all of them."""


def _axis(call: Call, value: Value) -> int | None:
    """Our axis that it works along; None if it is none or there are several."""
    axis = call.settings.get("axis")
    if isinstance(axis, dict):
        axis = axis.get("config", axis.get("items"))
    if isinstance(axis, list) and len(axis) == 1:
        (axis,) = axis
    axis = -1 if axis is None else axis
    return value.axis(axis) if type(axis) is int else None


def _affine(call: Call) -> tuple[bool, bool]:
    """Whether it scales, and whether it adds."""
    return call.settings.flag("scale", usual=True), call.settings.flag("center", usual=True)


def _store_affine(call: Call, value: Value, result: Result, scales: bool, adds: bool) -> None:
    """Its scale and offset; one that it does not have is constant."""
    if result is None or not (scales or adds):
        return
    shape = (result.shape[0],)
    if scales:
        call.store(result, "weight", "gamma", shape, flat=value.flat)
    else:
        call.tracer.constant(result, "weight", 1.0)
    if adds:
        call.store(result, "bias", "beta", shape, flat=value.flat)
    elif "bias" in result.wanted:
        call.tracer.constant(result, "bias", 0.0)


@reads(
    "BatchNormalization", "SyncBatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2"
)
def batch_norm(call: Call) -> Value:
    value = call.settled()
    if value.layer is None:
        return value
    if _axis(call, value) != 0:
        return call.cannot_say("it normalizes along another axis than the channels")
    mode = call.settings.whole("mode", usual=0)
    if mode == 1:
        return call.cannot_say("it normalizes each sample (mode 1)")
    scales, adds = _affine(call)
    momentum = call.settings.number("momentum", usual=0.99)
    given: dict[str, object] = {
        "eps": call.settings.number("epsilon", usual=EPS),
        "momentum": round(min(max(1 - momentum, 0.0), 1.0), 12),
    }
    if not scales:
        given["affine"] = "bias" if adds else False
    if mode == 2:
        given["track"] = False
    result = call.add("bn", value.layer, **given)
    _store_affine(call, value, result, scales, adds)
    if result is not None:
        shape = (result.shape[0],)
        if mode != 2:
            call.store(result, "running_mean", "moving_mean", shape, flat=value.flat)
            call.store(result, "running_var", "moving_variance", shape, flat=value.flat)
    return value.of(result)


@reads("LayerNormalization")
def layer_norm(call: Call) -> Value:
    value = call.settled()
    if value.layer is None:
        return value
    if _axis(call, value) != 0:
        return call.cannot_say("it normalizes along other axes than the channels")
    if call.settings.flag("rms_scaling", usual=False):
        return call.cannot_say("it does not subtract the mean (`rms_scaling`)")
    scales, adds = _affine(call)
    affine: object = False if not (scales or adds) else "weight" if not adds else True
    eps = call.settings.number("epsilon", usual=EPS)
    result = call.add("ln", value.layer, eps=eps, affine=affine)
    _store_affine(call, value, result, scales, adds)
    return value.of(result)


@reads("GroupNormalization")
def group_norm(call: Call) -> Value:
    value = call.plain()
    if value.layer is None:
        return value
    if _axis(call, value) != 0:
        return call.cannot_say("its groups are not of channels")
    groups = call.settings.get("groups")
    channels = value.layer.shape[0]
    groups = channels if groups == -1 else call.settings.whole("groups", usual=32, least=1)
    scales, adds = _affine(call)
    eps = call.settings.number("epsilon", usual=EPS)
    affine = scales or adds
    if groups == channels and size(value.layer.shape[1:]) > 1:
        result = call.add("instancenorm", value.layer, eps=eps, affine=affine)
    else:
        result = call.add("gn", value.layer, groups=groups, eps=eps, affine=affine)
    _store_affine(call, value, result, scales, adds)
    return value.of(result)


@reads("RMSNormalization")
def rms_norm(call: Call) -> Value:
    value = call.settled()
    if value.layer is None:
        return value
    if _axis(call, value) != 0:
        return call.cannot_say("it normalizes along other axes than the channels")
    eps = call.settings.number("epsilon", usual=1e-6)
    result = call.add("rmsnorm", value.layer, eps=eps)
    call.store(result, "weight", "scale", (value.layer.shape[0],), flat=value.flat)
    return value.of(result)


@reads("LayerScale")
def layer_scale(call: Call) -> Value:
    """Of Keras' ConvNeXt."""
    value = call.settled()
    if value.layer is None:
        return value
    shape: Shape = (value.layer.shape[0],)
    init = call.settings.number("init_values", usual=1e-6)
    result = call.add("layerscale", value.layer, init=init)
    call.store(result, "gamma", "gamma", shape, flat=value.flat)
    return value.of(result)


@reads("Dropout")
def dropout(call: Call) -> Value:
    value = call.settled()
    shape = call.settings.get("noise_shape")
    ones = isinstance(shape, list) and len(shape) > 1 and set(shape[1:]) == {1}
    rate = call.settings.number("rate", "p", usual=0.5)
    return value.of(call.add("droppath" if ones else "dropout", value.layer, p=rate))


@reads("FixedDropout")
def fixed_dropout(call: Call) -> Value:
    """Of a popular EfficientNet."""
    return dropout(call)


@reads("StochasticDepth", "DropPath", "DropConnect")
def stochastic_depth(call: Call) -> Value:
    """Of Keras' ConvNeXt."""
    value = call.settled()
    rate = call.settings.number("drop_path_rate", "survival_probability", "rate", usual=0.0)
    return value.of(call.add("droppath", value.layer, p=rate))


@reads("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
def spatial_dropout(call: Call) -> Value:
    value = call.settled()
    if value.layer is None or not axes_of(value.layer.shape):
        return value
    return value.of(
        call.add("dropout2d", value.layer, p=call.settings.number("rate", "p", usual=0.5))
    )


@reads(
    "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization",
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast", "RandomTranslation",
    "RandomBrightness", "RandomCrop", "RandomHeight", "RandomWidth", "RandomErasing",
    "RandomHue", "RandomSaturation", "RandomShear", "RandomColorJitter", "MixUp", "CutMix",
)  # fmt: skip
def training_only(call: Call) -> Value:
    call.remark(f"{call.kind} `{call.name}` belongs to training")
    return call.value
