"""Krizhevsky, 2014, arXiv:1404.5997
From alexnet.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

The single-tower version of the network that won the 2012 ImageNet challenge (for the original two
towers, see alexnet_two_towers.cnn). New at the time: a deep convolutional network for
photographs, trained on GPUs; ReLU instead of tanh; dropout; overlapping pooling.
"""

from torch import Tensor, nn


class AlexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 11, stride=4, padding=2)
        self.relu1 = nn.ReLU(inplace=True)
        self.pool1 = nn.MaxPool2d(3, stride=2)
        self.conv2 = nn.Conv2d(64, 192, 5, padding=2)
        self.relu2 = nn.ReLU(inplace=True)
        self.pool2 = nn.MaxPool2d(3, stride=2)
        self.conv3 = nn.Conv2d(192, 384, 3, padding=1)
        self.relu3 = nn.ReLU(inplace=True)
        self.conv4 = nn.Conv2d(384, 256, 3, padding=1)
        self.relu4 = nn.ReLU(inplace=True)
        self.conv5 = nn.Conv2d(256, 256, 3, padding=1)
        self.relu5 = nn.ReLU(inplace=True)
        self.pool3 = nn.MaxPool2d(3, stride=2)
        self.pool4 = nn.AdaptiveAvgPool2d(6)
        self.flatten = nn.Flatten()
        self.dropout1 = nn.Dropout(0.5, inplace=True)
        self.fc1 = nn.Linear(9216, 4096)
        self.relu6 = nn.ReLU(inplace=True)
        self.dropout2 = nn.Dropout(0.5)
        self.fc2 = nn.Linear(4096, 4096)
        self.relu7 = nn.ReLU(inplace=True)
        self.fc3 = nn.Linear(4096, 1000)
        for module in self.modules():  # He et al., 2015, arXiv:1502.01852
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))  # 64x27x27
        x = self.pool2(self.relu2(self.conv2(x)))  # 192x13x13
        x = self.relu3(self.conv3(x))  # 384x13x13
        x = self.relu4(self.conv4(x))  # 256x13x13
        x = self.flatten(self.pool4(self.pool3(self.relu5(self.conv5(x)))))  # 9216
        x = self.relu7(self.fc2(self.dropout2(self.relu6(self.fc1(self.dropout1(x))))))
        x = self.fc3(x)  # 1000
        return x
