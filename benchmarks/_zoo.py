"""Small networks of many kinds with random weights, built from configurations without any download."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import diffusers
import torch
from torch import Tensor, nn

from _zoo_transformers import TRANSFORMERS, Build
from nasbuild.zoo.digits.network import build_network
from nasbuild.zoo.ofa import Network, mobilenet_v3, proxylessnas


class Plain(nn.Module):
    """Returns tensors instead of a library's output object, so that all exporters accept it."""

    def __init__(self, model: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        found = self.model(**dict(zip(self.names, inputs, strict=True)))
        values = (
            [found] if isinstance(found, Tensor) else found.values() if hasattr(found, "values") else found
        )
        return tuple(v for v in values if isinstance(v, Tensor))


def _diffusion(name: str, inputs: Callable[[], dict[str, Tensor]], /, **settings: Any) -> Build:
    return lambda: (getattr(diffusers, name)(**settings), inputs())


def _noisy(channels: int = 3, **more: Tensor) -> dict[str, Tensor]:
    return {"sample": torch.randn(1, channels, 16, 16), "timestep": torch.tensor([7]), **more}


_BLOCKS = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
_CROSS = dict(
    **_BLOCKS,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    cross_attention_dim=12,
    attention_head_dim=4,
)

_DIFFUSERS: dict[str, Build] = {
    "unet2d": _diffusion(
        "UNet2DModel",
        _noisy,
        sample_size=16,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        **_BLOCKS,
    ),
    "unet2d condition": _diffusion(
        "UNet2DConditionModel",
        lambda: _noisy(4, encoder_hidden_states=torch.randn(1, 5, 12)),
        sample_size=16,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        **_CROSS,
    ),
    "autoencoder kl": _diffusion(
        "AutoencoderKL",
        lambda: {"sample": torch.randn(1, 3, 32, 32)},
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        **_BLOCKS,
    ),
    "dit": _diffusion(
        "DiTTransformer2DModel",
        lambda: {
            "hidden_states": torch.randn(1, 4, 16, 16),
            "timestep": torch.tensor([7]),
            "class_labels": torch.tensor([3]),
        },
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        num_layers=2,
        sample_size=16,
        num_embeds_ada_norm=20,
        norm_num_groups=4,
    ),
}


def _once_for_all(family: Any, choice: tuple[int, int], depth: int) -> Build:
    made = family()
    layers = tuple((choice,) * min(depth, stage.depth) for stage in made.stages)
    return lambda: (Network(made, layers), {"x": torch.randn(1, 3, 64, 64)})


_OWN: dict[str, Build] = {
    "digits small": lambda: (
        build_network([["mb_e1_k3"], ["mb_e3_k3"], ["mb_e6_k5"]]),
        {"x": torch.randn(1, 1, 8, 8)},
    ),
    "digits large": lambda: (
        build_network([["mb_e6_k5"] * 2, ["mb_e3_k3"] * 2, ["mb_e6_k5"] * 2]),
        {"x": torch.randn(1, 1, 8, 8)},
    ),
    "ofa mobilenet v3": _once_for_all(mobilenet_v3, (6, 7), 4),
    "ofa mobilenet v3 small": _once_for_all(mobilenet_v3, (3, 3), 2),
    "ofa proxylessnas": _once_for_all(proxylessnas, (4, 5), 3),
}


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, num_layers=2, batch_first=True)
        self.gru = nn.GRU(16, 8, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(self.lstm(x)[0])[0][:, -1])


_TORCH: dict[str, Build] = {
    "lstm and gru": lambda: (Recurrent(), {"x": torch.randn(1, 6, 8)}),
    "torch transformer": lambda: (
        nn.TransformerEncoder(
            nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=True),
            2,
            enable_nested_tensor=False,
        ),
        {"src": torch.randn(1, 6, 16)},
    ),
}

ZOO: dict[str, Build] = {**_OWN, **_TORCH, **TRANSFORMERS, **_DIFFUSERS}


def network(name: str, seed: int = 0) -> tuple[Plain, tuple[Tensor, ...], list[str]]:
    """A network by its name, its inputs, and their names; no two of its weights are equal, none is 0."""
    torch.manual_seed(seed)
    model, inputs = ZOO[name]()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point() and tensor.numel() > 1:
                tensor.copy_(0.1 * torch.rand_like(tensor) + 0.01)
    return Plain(model.eval(), list(inputs)).eval(), tuple(inputs.values()), list(inputs)
