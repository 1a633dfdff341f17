"""What a spec can say that is no layer.
From everything.cnn by dotcnn 0.2.0. Names of weights have `_` for dots.
Weights: model.load_state_dict(torch.load(path))

Comments at the top are the docstring of the file.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class EverythingOutputs(NamedTuple):
    logits: Tensor
    early: Tensor | None


class Everything(nn.Module):
    """What is tried here."""

    def __init__(self) -> None:
        super().__init__()
        self.stem_conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.stem_bn1 = nn.BatchNorm2d(16)
        self.stem_act1 = nn.SiLU()
        self.stem_conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.stem_bn2 = nn.BatchNorm2d(16)
        self.stem_act2 = nn.SiLU()
        self.blocks1_0_twice_conv1 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.blocks1_0_twice_bn1 = nn.BatchNorm2d(32)
        self.blocks1_0_twice_act1 = nn.ReLU(inplace=True)
        self.blocks1_0_twice_conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.blocks1_0_twice_bn2 = nn.BatchNorm2d(32)
        self.blocks1_0_twice_act2 = nn.ReLU(inplace=True)
        self.blocks1_0_conv = nn.Conv2d(32, 16, 1, bias=False)
        self.blocks1_0_bn = nn.BatchNorm2d(16)
        nn.init.zeros_(self.blocks1_0_bn.weight)
        self.blocks1_0_relu = nn.ReLU(inplace=True)
        self.blocks1_0_squeezed_pool = nn.AdaptiveAvgPool2d(1)
        self.blocks1_0_squeezed_conv1 = nn.Conv2d(16, 4, 1)
        self.blocks1_0_squeezed_relu = nn.ReLU(inplace=True)
        self.blocks1_0_squeezed_conv2 = nn.Conv2d(4, 16, 1)
        self.blocks1_0_squeezed_sigmoid = nn.Sigmoid()
        self.blocks1_1_twice_conv1 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.blocks1_1_twice_bn1 = nn.BatchNorm2d(32)
        self.blocks1_1_twice_act1 = nn.ReLU(inplace=True)
        self.blocks1_1_twice_conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.blocks1_1_twice_bn2 = nn.BatchNorm2d(32)
        self.blocks1_1_twice_act2 = nn.ReLU(inplace=True)
        self.blocks1_1_conv = nn.Conv2d(32, 16, 1, bias=False)
        self.blocks1_1_bn = nn.BatchNorm2d(16)
        nn.init.zeros_(self.blocks1_1_bn.weight)
        self.blocks1_1_relu = nn.ReLU(inplace=True)
        self.blocks1_1_squeezed_pool = nn.AdaptiveAvgPool2d(1)
        self.blocks1_1_squeezed_conv1 = nn.Conv2d(16, 4, 1)
        self.blocks1_1_squeezed_relu = nn.ReLU(inplace=True)
        self.blocks1_1_squeezed_conv2 = nn.Conv2d(4, 16, 1)
        self.blocks1_1_squeezed_sigmoid = nn.Sigmoid()
        self.early_pool = nn.AdaptiveAvgPool2d(1)
        self.early_flatten = nn.Flatten()
        self.early_fc = nn.Linear(16, 10)
        self.blocks2_0_pool = nn.MaxPool2d(2)
        self.blocks2_0_conv1 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.blocks2_0_bn1 = nn.BatchNorm2d(32)
        self.blocks2_0_act1 = nn.ReLU(inplace=True)
        self.blocks2_0_conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.blocks2_0_bn2 = nn.BatchNorm2d(32)
        self.blocks2_0_act2 = nn.ReLU(inplace=True)
        self.blocks2_1_pool = nn.MaxPool2d(2)
        self.blocks2_1_conv1 = nn.Conv2d(32, 48, 3, padding=1, bias=False)
        self.blocks2_1_bn1 = nn.BatchNorm2d(48)
        self.blocks2_1_act1 = nn.GELU()
        self.blocks2_1_conv2 = nn.Conv2d(48, 48, 3, padding=1, bias=False)
        self.blocks2_1_bn2 = nn.BatchNorm2d(48)
        self.blocks2_1_act2 = nn.GELU()
        self.upsample = nn.Upsample(scale_factor=4)
        self.conv = nn.Conv2d(64, 16, 1)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.1, inplace=True)
        self.fc = nn.Linear(16, 10)
        self.softmax = nn.Softmax(dim=1)
        for module in self.modules():  # Glorot and Bengio, 2010
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor | EverythingOutputs:
        x = self.stem_conv1(x)  # 16x32x32
        x = self.stem_bn1(x)  # 16x32x32
        x = self.stem_act1(x)  # 16x32x32
        x = self.stem_conv2(x)  # 16x32x32
        x = self.stem_bn2(x)  # 16x32x32
        x = self.stem_act2(x)  # 16x32x32
        y = self.blocks1_0_twice_conv1(x)  # 32x32x32
        y = self.blocks1_0_twice_bn1(y)  # 32x32x32
        y = self.blocks1_0_twice_act1(y)  # 32x32x32
        y = self.blocks1_0_twice_conv2(y)  # 32x32x32
        y = self.blocks1_0_twice_bn2(y)  # 32x32x32
        y = self.blocks1_0_twice_act2(y)  # 32x32x32
        y = self.blocks1_0_conv(y)  # 16x32x32
        y = self.blocks1_0_bn(y)  # 16x32x32
        y += x  # 16x32x32
        y = self.blocks1_0_relu(y)  # 16x32x32
        z = self.blocks1_0_squeezed_pool(y)  # 16x1x1
        z = self.blocks1_0_squeezed_conv1(z)  # 4x1x1
        z = self.blocks1_0_squeezed_relu(z)  # 4x1x1
        z = self.blocks1_0_squeezed_conv2(z)  # 16x1x1
        z = self.blocks1_0_squeezed_sigmoid(z)  # 16x1x1
        y = y * z  # 16x32x32
        z = self.blocks1_1_twice_conv1(y)  # 32x32x32
        z = self.blocks1_1_twice_bn1(z)  # 32x32x32
        z = self.blocks1_1_twice_act1(z)  # 32x32x32
        z = self.blocks1_1_twice_conv2(z)  # 32x32x32
        z = self.blocks1_1_twice_bn2(z)  # 32x32x32
        z = self.blocks1_1_twice_act2(z)  # 32x32x32
        z = self.blocks1_1_conv(z)  # 16x32x32
        z = self.blocks1_1_bn(z)  # 16x32x32
        z += y  # 16x32x32
        y = self.blocks1_1_relu(z)  # 16x32x32
        z = self.blocks1_1_squeezed_pool(y)  # 16x1x1
        z = self.blocks1_1_squeezed_conv1(z)  # 4x1x1
        z = self.blocks1_1_squeezed_relu(z)  # 4x1x1
        z = self.blocks1_1_squeezed_conv2(z)  # 16x1x1
        z = self.blocks1_1_squeezed_sigmoid(z)  # 16x1x1
        y = y * z  # 16x32x32
        early = None
        if self.training:
            z = self.early_pool(y)  # 16x1x1
            z = self.early_flatten(z)  # 16
            early = self.early_fc(z)  # 10
        y = self.blocks2_0_pool(y)  # 16x16x16
        y = self.blocks2_0_conv1(y)  # 32x16x16
        y = self.blocks2_0_bn1(y)  # 32x16x16
        y = self.blocks2_0_act1(y)  # 32x16x16
        y = self.blocks2_0_conv2(y)  # 32x16x16
        y = self.blocks2_0_bn2(y)  # 32x16x16
        y = self.blocks2_0_act2(y)  # 32x16x16
        y = self.blocks2_1_pool(y)  # 32x8x8
        y = self.blocks2_1_conv1(y)  # 48x8x8
        y = self.blocks2_1_bn1(y)  # 48x8x8
        y = self.blocks2_1_act1(y)  # 48x8x8
        y = self.blocks2_1_conv2(y)  # 48x8x8
        y = self.blocks2_1_bn2(y)  # 48x8x8
        y = self.blocks2_1_act2(y)  # 48x8x8
        y = self.upsample(y)  # 48x32x32
        x = torch.cat([y, x], 1)  # 64x32x32
        x = self.conv(x)  # 16x32x32
        x = self.relu(x)  # 16x32x32
        x = self.pool(x)  # 16x1x1
        x = self.flatten(x)  # 16
        x = self.dropout(x)  # 16
        x = self.fc(x)  # 10
        return EverythingOutputs(x, early) if self.training else x

    def predict(self, x: Tensor) -> Tensor:
        """What the logits of `forward` stand for."""
        output = self.forward(x)
        x = output if isinstance(output, Tensor) else output.logits
        x = self.softmax(x)
        return x
