"""LeCun et al., 1998, doi:10.1109/5.726791
From lenet5.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

LeNet-5 as it is written today, with ReLU and max pooling (the original: lenet5_1998.cnn).
"""

from torch import Tensor, nn


class LeNet5(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.relu1 = nn.ReLU(inplace=True)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.relu2 = nn.ReLU(inplace=True)
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(400, 120)
        self.relu3 = nn.ReLU(inplace=True)
        self.fc2 = nn.Linear(120, 84)
        self.relu4 = nn.ReLU(inplace=True)
        self.fc3 = nn.Linear(84, 10)
        for module in self.modules():  # He et al., 2015, arXiv:1502.01852
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))  # 6x14x14
        x = self.flatten(self.pool2(self.relu2(self.conv2(x))))  # 400
        x = self.relu3(self.fc1(x))  # 120
        x = self.relu4(self.fc2(x))  # 84
        x = self.fc3(x)  # 10
        return x
