"""What training keeps in the memory of a GPU beside the tensors of a step: weights, optimizer
state, the copies of EMA, lookahead and L2-SP, DDP's buckets, the data set, recent logits; and, as
constants, the memory that CUDA, cuBLAS and NCCL take.

The constants are rounded up from what people report of their processes (total, less what torch has
reserved: 0.2 to 0.6 GiB alone, about 1 GiB more with NCCL); they are to be measured by
benchmarks/cuda.py.
"""

from __future__ import annotations

from ..network import Network
from ..shapes import size
from .kept import input_size
from .peak import Bytes
from .setting import Setting
from .weight_bytes import gradient_sizes, state_sizes, weight_sizes

_MIB = 2**20

CONTEXT = 600 * _MIB
"""Of the driver, with the kernels that have been loaded. Not allocated by torch."""
NCCL = 1024 * _MIB
"""Buffers of NCCL, with more than one GPU. Not allocated by torch."""
CUBLAS_WORKSPACE = 32 * _MIB
"""torch allocates 8 MiB, on Hopper and with `deterministic` 32."""
CUBLAS_HANDLES = 2
"""Of the threads of the forward and of the backward pass; each has a workspace."""

LOGITS_KEPT = 32
"""Steps whose logits the running metrics keep."""

DDP_BUCKET = 25 * _MIB
"""Gradients are summed over processes in buckets of this size, which are copies."""

MOST_ELEMENTS = 2**31 - 2
"""Of a tensor that every operation can index. Many kernels of torch count in 32 bits: convolutions
without cuDNN (depthwise ones) refuse larger tensors ("Expected canUse32BitIndexMath"), and in
several versions maximum and adaptive average pooling read or write beyond the tensor
(pytorch/pytorch#155225, #167253, #189082).
"""


WORKSPACE = [Bytes(CUBLAS_WORKSPACE)] * CUBLAS_HANDLES
"""Allocated by torch, but not for tensors."""


def outside_torch(setting: Setting) -> int:
    """Bytes of the GPU that torch's allocator does not see."""
    return CONTEXT + (NCCL if setting.processes > 1 else 0)


def resident(network: Network, setting: Setting) -> list[Bytes]:
    """The tensors that are on the GPU during a whole step, without cuBLAS's workspace."""
    weights = [amount for node in network.nodes for amount in weight_sizes(node)]
    gradients = [amount for node in network.nodes for amount in gradient_sizes(node, setting)]
    sizes = [*weights, *state_sizes(network, setting)]
    if setting.optimizer.counts_steps:
        sizes += [4] * len(gradients)
    if setting.ema:
        sizes += weights
    if setting.lookahead:
        sizes += weights
    if setting.anchor:
        sizes += gradients
    if setting.accumulate > 1:
        sizes += gradients
    if setting.processes > 1:
        buckets, rest = divmod(sum(gradients), DDP_BUCKET)
        sizes += [DDP_BUCKET] * buckets + [rest] * bool(rest)
    sizes += [setting.data] * bool(setting.data)
    tensors = [Bytes(amount) for amount in sizes]
    tensors.append(Bytes(0, input_size(network)))  # the batch before: its loss is read late
    logits = sum(size(output.node.shape) for output in network.outputs)
    return [*tensors, *[Bytes(0, 4 * logits)] * (LOGITS_KEPT - 1)]


def largest_batch(network: Network) -> int:
    """The largest batch whose tensors all have few enough elements to be indexed."""
    return MOST_ELEMENTS // max(size(node.shape) for node in network.nodes)
