"""The head of MaskFormer (Cheng et al., NeurIPS 2021): queries, each with a category and a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import DetrConfig, MaskFormerConfig
from transformers.models.maskformer.modeling_maskformer import (
    MaskFormerHungarianMatcher,
    MaskFormerLoss,
    MaskformerMLPPredictionHead,
    MaskFormerPixelDecoder,
    MaskFormerPreTrainedModel,
    MaskFormerTransformerModule,
)

from nasbuild.errors import NasbuildError

_GROUPS = 32  # of the group norms in transformers' pixel decoder
_PER_HEAD = 32  # channels of a head of the attention, as in MaskFormer


@dataclass(frozen=True)
class MaskOutputs:
    """What the head computes for n pictures, in every layer of its decoder.

    Attributes
    ----------
    categories
        Logits of each query's category, the last one for no segment, (layers, n, queries, categories + 1).
    masks
        Logits of each query's mask at a quarter of the size, (layers, n, queries, height / 4, width / 4).
    """

    categories: Tensor
    masks: Tensor


@dataclass(frozen=True)
class MaskTargets:
    """The segments of n scenes of one size, without crowds.

    Attributes
    ----------
    categories
        Indices of the segments' categories, one int64 (segments,) for each scene.
    masks
        Their pixels, one bool (segments, height, width) for each scene.
    """

    categories: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]

    def to(self, device: torch.device) -> MaskTargets:
        """The targets on a device."""
        return MaskTargets(
            tuple(one.to(device) for one in self.categories), tuple(one.to(device) for one in self.masks)
        )


class MaskFormerHead(nn.Module):
    """Pixel decoder, transformer decoder and the two predictors of transformers' MaskFormer.

    Parameters
    ----------
    widths
        Channels of the features, the finest first; two levels or more.
    categories
        Number of categories.
    width
        Channels of pyramid, queries and masks, a multiple of 32; 256 in the paper.
    queries
        Maximum number of segments in a picture; 100 in the paper.
    layers
        Layers of the transformer decoder; 6 in the paper.

    Raises
    ------
    NasbuildError
        If ``width`` or the levels do not fit.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.panoptic.maskformer import MaskFormerHead
    >>> head = MaskFormerHead((16, 24), categories=5, width=32, queries=7, layers=2)
    >>> found = head([torch.zeros(1, 16, 6, 6), torch.zeros(1, 24, 3, 3)])
    >>> tuple(found.categories.shape), tuple(found.masks.shape)
    ((2, 1, 7, 6), (2, 1, 7, 6, 6))
    """

    def __init__(
        self,
        widths: Sequence[int],
        categories: int,
        width: int = 256,
        *,
        queries: int = 100,
        layers: int = 6,
    ) -> None:
        super().__init__()
        if width % _GROUPS or width < 1:
            raise NasbuildError(f"head maskformer has {width} channels", allowed=f"multiples of {_GROUPS}")
        if len(widths) < 2:
            raise NasbuildError("head maskformer has features of one stride", allowed="two strides or more")
        self.parts = _Parts(maskformer_config(categories, width, queries, layers), tuple(widths))
        self.categories = categories
        self.project = nn.Conv2d(widths[-1], width, 1)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, features: Sequence[Tensor]) -> MaskOutputs:
        """Map the features of a backbone to categories and masks of the queries."""
        parts = self.parts
        pixels = parts.pixel_decoder(list(features)).last_hidden_state
        # The decoder views its inputs as (n, channels, pixels), which channels-last tensors don't allow.
        coarse = self.project(features[-1]).contiguous()
        found = parts.transformer_module(coarse, output_hidden_states=True, return_dict=True)
        states = torch.stack(found.hidden_states[1:])  # the first ones are the zeros that it starts from
        masks = torch.einsum("lnqc,nchw->lnqhw", parts.mask_embedder(states), pixels)
        return MaskOutputs(parts.class_predictor(states), masks)


class _Parts(MaskFormerPreTrainedModel):
    """The parts of transformers' MaskFormer behind its backbone, initialised as there."""

    def __init__(self, config: MaskFormerConfig, widths: tuple[int, ...]) -> None:
        super().__init__(config)
        width = config.mask_feature_size
        self.pixel_decoder = MaskFormerPixelDecoder(
            in_features=widths[-1],
            feature_size=config.fpn_feature_size,
            mask_feature_size=width,
            lateral_widths=list(widths[:-1]),
        )
        self.transformer_module = MaskFormerTransformerModule(in_features=width, config=config)
        self.class_predictor = nn.Linear(width, config.num_labels + 1)  # pyright: ignore[reportOptionalOperand]
        self.mask_embedder = MaskformerMLPPredictionHead(width, width, width)
        self.post_init()


def maskformer_config(categories: int, width: int, queries: int, layers: int) -> MaskFormerConfig:
    """The settings of transformers' MaskFormer for a head; its feed-forward layers are 8 times as wide."""
    decoder = DetrConfig(
        d_model=width,
        num_queries=queries,
        decoder_layers=layers,
        decoder_attention_heads=width // _PER_HEAD,
        encoder_attention_heads=width // _PER_HEAD,
        decoder_ffn_dim=8 * width,
    )
    return MaskFormerConfig(
        decoder_config=decoder,
        fpn_feature_size=width,
        mask_feature_size=width,
        num_labels=categories,  # pyright: ignore[reportCallIssue]
        use_auxiliary_loss=True,
    )


def mask_loss(outputs: MaskOutputs, targets: MaskTargets) -> Tensor:
    """The loss of MaskFormer, summed over the layers of the decoder, by transformers' `MaskFormerLoss`.

    Queries and segments are matched by the Hungarian method. Then the loss of a layer is the cross-entropy of the
    categories (0.1 for no segment), plus 20 times the focal loss, plus the Dice loss of the matched masks.
    """
    config = MaskFormerConfig()
    weights = {
        "loss_cross_entropy": config.cross_entropy_weight,
        "loss_mask": config.mask_weight,
        "loss_dice": config.dice_weight,
    }
    matcher = MaskFormerHungarianMatcher(1.0, config.mask_weight, config.dice_weight)
    count = outputs.categories.shape[-1] - 1
    criterion = MaskFormerLoss(count, matcher, weights, config.no_object_weight).to(outputs.masks.device)
    labels, masks = list(targets.categories), [one.float() for one in targets.masks]
    total = torch.zeros((), device=outputs.masks.device)
    for categories, predicted in zip(outputs.categories.float(), outputs.masks.float(), strict=True):
        found = criterion(predicted, categories, masks, labels)
        total = total + sum(weights[name] * value for name, value in found.items())
    return total
