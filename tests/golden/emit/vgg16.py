"""Simonyan and Zisserman, 2014, arXiv:1409.1556
From vgg16.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

New: nothing but 3x3 filters. Two cover as much as one 5x5, three as much as one 7x7, with fewer weights.
"""

from torch import Tensor, nn


class ConvRelu(nn.Sequential):
    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)


class Classifier(nn.Sequential):
    def __init__(self, in_channels: int, outputs: int = 1000) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(7)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(49 * in_channels, 4096)
        self.relu1 = nn.ReLU(inplace=True)
        self.dropout1 = nn.Dropout(0.5)
        self.fc2 = nn.Linear(4096, 4096)
        self.relu2 = nn.ReLU(inplace=True)
        self.dropout2 = nn.Dropout(0.5)
        self.fc3 = nn.Linear(4096, outputs)


class Feature(nn.Sequential):
    def __init__(self, in_channels: int, width: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            ConvRelu(in_channels, width),
            *[ConvRelu(width, width) for _ in range(depth - 1)],
        )
        self.pool = nn.MaxPool2d(2)


class VGG16(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Feature(3, 64, 2),
            Feature(64, 128, 2),
            Feature(128, 256, 3),
            Feature(256, 512, 3),
            Feature(512, 512, 3),
        )
        self.classifier = Classifier(512)
        for module in self.modules():  # He et al., 2015, arXiv:1502.01852
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.classifier(self.features(x))  # 1000
        return x
