"""The reader's trained weights as they are shipped: matrices as 8-bit integers, a scale per row.

Serving computes with 8-bit integers anyway, so that float16 would be twice the size for nothing.
Imports torch: training and preparation use it, serving does not.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

_SCALE = ".scale"
_LARGEST = 127


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Writes `weights`: matrices as int8[rows, columns] and float32[rows], vectors as float32."""
    packed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if tensor.dim() < 2:
            packed[name] = tensor.float()
            continue
        scale = tensor.float().abs().amax(1).clamp(min=1e-8) / _LARGEST
        packed[name] = (tensor.float() / scale[:, None]).round().to(torch.int8)
        packed[name + _SCALE] = scale
    save_file(packed, path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights that `write_weights` wrote, as float32."""
    packed = load_file(path)
    return {
        name: tensor.float() * (packed[name + _SCALE][:, None] if tensor.dim() > 1 else 1.0)
        for name, tensor in packed.items()
        if not name.endswith(_SCALE)
    }
