"""Lines of Keras, torch, Caffe and Darknet that are pasted into a network as they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dotcnn.compiler.diagnose.trial import apply
from foreign_corpus import changed_lines, errors, network, section

LINES = r"""
import torch
import torch.nn as nn
from torch import nn
from tensorflow.keras import layers, models
class Net(nn.Module):
class Net(keras.Model):
def __init__(self):
super().__init__()
super(Net, self).__init__()
self.conv1 = nn.Conv2d(3, 64, 3)
self.features = nn.Sequential(nn.Conv2d(8, 16, 3), nn.ReLU())
nn.Sequential(
model = nn.Sequential(
self.features = nn.Sequential(  # the first layers
)
])
def forward(self, x):
x = F.relu(self.conv1(x))
x = self.pool(F.relu(self.conv1(x)))
x = self.layer1(x)
x = x + residual
out += identity
x = torch.flatten(x, 1)
return x
return F.log_softmax(x, dim=1)
if __name__ == "__main__":
net = Net()
net.to(device)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
optimizer = optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
criterion = nn.CrossEntropyLoss()
for epoch in range(10):
for i, data in enumerate(trainloader, 0):
for i in range(3):
while True:
with torch.no_grad():
loss = criterion(outputs, labels)
loss.backward()
optimizer.step()
optimizer.zero_grad()
assert x.shape == 3
raise ValueError
del x
global x
model = Sequential()
model = keras.Sequential([
model.add(MaxPooling2D())
model.add(UpSampling2D())
layers.AveragePooling2D(),
model.compile(...)
model.compile(loss='categorical_crossentropy', optimizer='adam', metrics=['accuracy'])
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001), loss='binary_crossentropy')
model.fit(...)
model.fit(x_train, y_train, batch_size=128, epochs=15, validation_split=0.1)
history = model.fit(X, y, epochs=5)
model.evaluate(x_test, y_test)
model.summary()
print(model)
model = Model(inputs=inputs, outputs=outputs)
base = ResNet50(weights='imagenet', include_top=False)
model = torchvision.models.resnet18(pretrained=True)
model = timm.create_model('mobilenetv3_large_100')
model = tf.keras.models.load_model("x.h5")
MobileNetV2
name: "LeNet"
type: "Convolution"
type: "Pooling"
type: "Eltwise"
bottom: "data"
top: "conv1"
num_output: 32
kernel_size: 3
bias_term: false
convolution_param { num_output: 20 kernel_size: 5 }
weight_filler { type: "xavier" }
pool: MAX
input: "data"
input_dim: 1
input_shape { dim: 1 dim: 3 dim: 224 dim: 224 }
lr_mult: 1
filters=32
size=3
pad=1
activation=leaky
activation=linear
batch_normalize=1
from=-3
layers=-1,8
anchors=10,13, 16,30
batch=64
subdivisions=16
learning_rate=0.1
max_batches=500200
saturation=1.5
[convolutional]
[shortcut]
[route]
[maxpool]
[avgpool]
[upsample]
[dropout]
[connected]
[batchnorm]
[softmax]
[net]
[yolo]
[cost]
"""

IN_TRAIN = r"""
import torch
optimizer.step()
loss.backward()
for epoch in range(10):
with torch.no_grad():
model.compile(optimizer='adam', loss='sparse_categorical_crossentropy')
model.compile(optimizer='sgd', loss='binary_crossentropy', metrics=['accuracy'])
model.fit(x, y, epochs=5, batch_size=32)
"""


def test_answers(golden: Callable[[str, str], None]) -> None:
    """Each answer, and the line after the fix; no fix leaves an error, but of shapes."""
    table = []
    cases = [(line, network(line)) for line in LINES.strip().splitlines()]
    cases += [(line, section("train", line)) for line in IN_TRAIN.strip().splitlines()]
    for line, text in cases:
        found = [one for one in errors(text) if one.code != "shape"]
        table.append(line)
        table += [f"    {one.help or one.message}" for one in found]
        assert all(one.help for one in found), line
        mended = text
        for one in reversed([one for one in found if one.edits]):
            mended = apply(mended, one.edits)
        if mended != text:
            table.append(f"    -> {changed_lines(text, mended)}")
            assert {one.code for one in errors(mended)} <= {"shape"}, line
    golden("foreign_lines.txt", "\n".join(table) + "\n")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('name: "LeNet"', "network LeNet {"),
        ("num_output: 32", "is an argument"),
        ('type: "Pooling"', "`pool max 2x2`"),
        ("nn.Sequential(", "take it out"),
        ("from=-3", "`add a b`"),
        ("activation=linear", "take it out"),
        ("batch=64", "write `batch 64` into `train { … }`"),
        ("optimizer = optim.SGD(net.parameters(), lr=0.001)", "`optimizer sgd lr=0.001` into"),
        ("model.fit(x, y, batch_size=128, epochs=15)", "`train { epochs 15, batch 128 }`"),
        ("for epoch in range(10):", "`cnn train` runs the training loop"),
        ("for i in range(3):", "`repeat 3 { … }`"),
        ("base = ResNet50(weights='imagenet')", "--like resnet50"),
        ("MobileNetV2", "--like mobilenet_v2"),
        ("global x", "not a program"),
    ],
)
def test_what_is_said(line: str, told: str) -> None:
    (found,) = errors(network(line))
    assert told in (found.help or "")


def test_a_training_loop_is_no_schedule() -> None:
    (found,) = errors(section("train", "optimizer.step()"))
    assert (found.help or "").startswith("take it out")


def test_a_whole_network_of_keras_is_mended() -> None:
    text = network(
        "model = keras.Sequential([\n    layers.Conv2D(32, 3, activation='relu'),\n"
        "    layers.MaxPooling2D(),\n  ])"
    )
    (found,) = errors(text)
    assert "conv 32 3x3, relu, pool max 2x2" in apply(text, found.edits)
