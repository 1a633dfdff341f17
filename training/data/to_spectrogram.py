"""Computes spectrograms and mel spectrograms of series by torch.stft: `spectrogram` and `mel` in
`evaluate`. Training, evaluation, prediction and exported scripts share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ...compiler.plan.spectrogram import FLOOR, Mel, TimeFrequency
from ...compiler.shapes import Shape

_TAPERS: Mapping[str, Callable[..., Tensor]] = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
    "none": torch.ones,
}
_PADDING = {"reflect": "reflect", "zero": "constant", "none": "constant"}


class ToSpectrogram(nn.Module):
    """Turns series, N x channels x length, into the input of the network: N x channels x bands x
    frames, or N x (channels * bands) x frames if that has two axes."""

    window: Tensor
    filters: Tensor

    def __init__(self, directive: TimeFrequency, shape: Shape) -> None:
        """`shape` is that of the network's input."""
        super().__init__()
        self.directive = directive
        self._shape = shape
        window = _TAPERS[directive.taper](directive.window, dtype=torch.float64)
        self.register_buffer("window", window.float(), persistent=False)
        filters = mel_filters(directive) if isinstance(directive, Mel) else torch.empty(0)
        self.register_buffer("filters", filters.float(), persistent=False)

    def forward(self, series: Tensor) -> Tensor:
        """float32; `series` may be of any type, and are on any device."""
        directive = self.directive
        if self.window.device != series.device:
            self.to(series.device)
        spectrum = torch.stft(
            series.float().flatten(0, 1),
            directive.transform,
            directive.hop,
            directive.window,
            self.window,
            center=directive.pad != "none",
            pad_mode=_PADDING[directive.pad],
            return_complex=True,
        )
        values = spectrum.real.square() + spectrum.imag.square()
        if directive.scale == "amplitude":
            values = values.sqrt()
        if self.filters.numel():
            values = self.filters @ values
        values = values.reshape(len(series), *self._shape)
        if directive.scale == "log":
            return values.clamp(min=FLOOR).log()
        if directive.scale == "db":
            values = values.clamp(min=FLOOR).log10().mul(10)
            if directive.top is not None:
                loudest = values.flatten(1).amax(1).view(-1, *[1] * len(self._shape))
                values = torch.maximum(values, loudest - directive.top)
        return values


def mel_filters(mel: Mel) -> Tensor:
    """The weights of the frequencies of the transform in each band, bands x frequencies, in double
    precision: triangles whose corners lie at equal distances on the mel scale."""
    at = torch.arange(mel.transform // 2 + 1, dtype=torch.float64) * (mel.hertz / mel.transform)
    corners = torch.tensor(mel.corners(), dtype=torch.float64)
    low, peak, high = (corners[i : i + mel.bands].unsqueeze(1) for i in range(3))
    rising, falling = (at - low) / (peak - low), (high - at) / (high - peak)
    filters = torch.minimum(rising, falling).clamp(min=0)
    return filters * (2 / (high - low)) if mel.norm == "area" else filters
