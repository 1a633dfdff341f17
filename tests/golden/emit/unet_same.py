"""Ronneberger et al., 2015, arXiv:1505.04597
From unet_same.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

unet.cnn as it is usually written today: padded, so nothing is cropped and every pixel of the
image gets a class, and with batch norm. Height and width of an image must be multiples of 16.
"""

import torch
from torch import Tensor, nn


class Twice(nn.Sequential):
    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace=True)


class UNetSame(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.level1 = Twice(3, 64)
        self.pool1 = nn.MaxPool2d(2)
        self.level2 = Twice(64, 128)
        self.pool2 = nn.MaxPool2d(2)
        self.level3 = Twice(128, 256)
        self.pool3 = nn.MaxPool2d(2)
        self.level4 = Twice(256, 512)
        self.pool4 = nn.MaxPool2d(2)
        self.twice1 = Twice(512, 1024)
        self.deconv1 = nn.ConvTranspose2d(1024, 512, 2, stride=2)
        self.twice2 = Twice(1024, 512)
        self.deconv2 = nn.ConvTranspose2d(512, 256, 2, stride=2)
        self.twice3 = Twice(512, 256)
        self.deconv3 = nn.ConvTranspose2d(256, 128, 2, stride=2)
        self.twice4 = Twice(256, 128)
        self.deconv4 = nn.ConvTranspose2d(128, 64, 2, stride=2)
        self.twice5 = Twice(128, 64)
        self.conv = nn.Conv2d(64, 2, 1)
        for module in self.modules():  # He et al., 2015, arXiv:1502.01852
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.ConvTranspose2d):
                summed = module.weight[:, 0].numel() / module.groups
                summed /= module.stride[0] * module.stride[1]
                nn.init.normal_(module.weight, std=(2 / summed) ** 0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        level1 = self.level1(x)  # 64x512x512
        x = self.pool1(level1)  # 64x256x256
        level2 = self.level2(x)  # 128x256x256
        x = self.pool2(level2)  # 128x128x128
        level3 = self.level3(x)  # 256x128x128
        x = self.pool3(level3)  # 256x64x64
        level4 = self.level4(x)  # 512x64x64
        x = self.twice1(self.pool4(level4))  # 1024x32x32
        x = self.twice2(torch.cat([self.deconv1(x), level4], 1))  # 512x64x64
        x = self.twice3(torch.cat([self.deconv2(x), level3], 1))  # 256x128x128
        x = self.twice4(torch.cat([self.deconv3(x), level2], 1))  # 128x256x256
        x = self.twice5(torch.cat([self.deconv4(x), level1], 1))  # 64x512x512
        x = self.conv(x)  # 2x512x512
        return x
