"""Small transformers with random weights, built from configurations."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers as t
from torch import Tensor, nn

Build = Callable[[], tuple[nn.Module, dict[str, Tensor]]]


def picture(size: int = 64, channels: int = 3) -> dict[str, Tensor]:
    return {"pixel_values": torch.randn(1, channels, size, size)}


def words(length: int = 16) -> dict[str, Tensor]:
    return {
        "input_ids": torch.randint(5, 90, (1, length)),
        "attention_mask": torch.ones(1, length, dtype=torch.int64),
    }


def tokens(length: int = 16) -> dict[str, Tensor]:
    return {"input_ids": torch.randint(5, 90, (1, length))}


def _model(
    name: str, inputs: Callable[[], dict[str, Tensor]], head: str = "Model", /, **settings: Any
) -> Build:
    def build() -> tuple[nn.Module, dict[str, Tensor]]:
        config = getattr(t, f"{name}Config")(**settings)
        return getattr(t, f"{name}{head}")(config), inputs()

    return build


_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_VIT = dict(**_SMALL, image_size=64, patch_size=16)
_TEXT = dict(**_SMALL, vocab_size=99, max_position_embeddings=64)
_LLM = dict(**_TEXT, num_key_value_heads=2, use_cache=False)
_FOUR = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 3, 4]}
_IMAGES = "ForImageClassification"

TRANSFORMERS: dict[str, Build] = {
    "resnet basic": _model(
        "ResNet", picture, _IMAGES, embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2], layer_type="basic"
    ),
    "resnet bottleneck": _model(
        "ResNet", picture, _IMAGES, embedding_size=8, hidden_sizes=[16, 32], depths=[2, 2]
    ),
    "regnet": _model(
        "RegNet", picture, _IMAGES, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], groups_width=4
    ),
    "bit": _model(
        "Bit", picture, _IMAGES, embedding_size=32, hidden_sizes=[32, 64], depths=[1, 1], num_groups=8
    ),
    "convnext": _model("ConvNext", picture, _IMAGES, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1]),
    "convnextv2": _model("ConvNextV2", picture, _IMAGES, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1]),
    "efficientnet": _model(
        "EfficientNet", picture, _IMAGES, width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=640
    ),
    "mobilenet v1": _model("MobileNetV1", picture, _IMAGES, depth_multiplier=0.25),
    "mobilenet v2": _model("MobileNetV2", picture, _IMAGES, depth_multiplier=0.35),
    "mobilevit": _model(
        "MobileViT",
        picture,
        _IMAGES,
        image_size=64,
        hidden_sizes=[24, 32, 40],
        neck_hidden_sizes=[8, 16, 24, 32, 40, 48, 64],
    ),
    "mobilevitv2": _model("MobileViTV2", picture, _IMAGES, image_size=64, width_multiplier=0.5),
    "swiftformer": _model(
        "SwiftFormer", picture, _IMAGES, image_size=64, depths=[1, 1, 1, 1], embed_dims=[8, 16, 24, 32]
    ),
    "levit": _model(
        "Levit",
        lambda: picture(64),
        _IMAGES,
        image_size=64,
        hidden_sizes=[16, 32, 48],
        num_attention_heads=[2, 2, 4],
        depths=[1, 1, 1],
        key_dim=[8, 8, 8],
    ),
    "poolformer": _model("PoolFormer", picture, _IMAGES, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1]),
    "focalnet": _model(
        "FocalNet",
        picture,
        _IMAGES,
        image_size=64,
        embed_dim=16,
        depths=[1, 1],
        focal_levels=[2, 2],
        focal_windows=[3, 3],
        hidden_sizes=[16, 32],
    ),
    "vit": _model("ViT", picture, _IMAGES, **_VIT),
    "deit": _model("DeiT", picture, _IMAGES, **_VIT),
    "beit": _model("Beit", picture, _IMAGES, **_VIT, use_relative_position_bias=True),
    "data2vec vision": _model("Data2VecVision", picture, _IMAGES, **_VIT),
    "dinov2": _model("Dinov2", picture, _IMAGES, **_VIT),
    "swin": _model(
        "Swin", picture, _IMAGES, image_size=64, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4
    ),
    "swinv2": _model(
        "Swinv2",
        picture,
        _IMAGES,
        image_size=64,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=4,
    ),
    "cvt": _model("Cvt", picture, _IMAGES, embed_dim=[8, 16, 32], num_heads=[1, 2, 4], depth=[1, 2, 3]),
    "pvt": _model(
        "Pvt",
        picture,
        _IMAGES,
        image_size=64,
        **_FOUR,
    ),
    "pvt v2": _model(
        "PvtV2",
        picture,
        _IMAGES,
        image_size=64,
        **_FOUR,
    ),
    "hiera": _model(
        "Hiera",
        picture,
        _IMAGES,
        image_size=[64, 64],
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 4, 8],
    ),
    "segformer": _model(
        "Segformer",
        picture,
        "ForSemanticSegmentation",
        **_FOUR,
        decoder_hidden_size=32,
    ),
    "glpn": _model(
        "GLPN",
        picture,
        "ForDepthEstimation",
        **_FOUR,
        decoder_hidden_size=16,
    ),
    "yolos": _model(
        "Yolos", picture, "ForObjectDetection", **(_VIT | {"image_size": [64, 64]}), num_detection_tokens=5
    ),
    "clip vision": _model("CLIPVision", picture, **_VIT),
    "siglip vision": _model("SiglipVision", picture, **_VIT),
    "videomae": _model(
        "VideoMAE",
        lambda: {"pixel_values": torch.randn(1, 4, 3, 32, 32)},
        "ForVideoClassification",
        **(_VIT | {"image_size": 32, "num_frames": 4}),
    ),
    "bert": _model("Bert", words, "ForSequenceClassification", **_TEXT),
    "roberta": _model("Roberta", words, "ForSequenceClassification", **_TEXT),
    "distilbert": _model(
        "DistilBert",
        words,
        "ForSequenceClassification",
        vocab_size=99,
        dim=32,
        n_layers=2,
        n_heads=4,
        hidden_dim=64,
    ),
    "albert": _model("Albert", words, "ForSequenceClassification", **_TEXT, embedding_size=16),
    "electra": _model("Electra", words, "ForSequenceClassification", **_TEXT, embedding_size=16),
    "deberta v2": _model(
        "DebertaV2",
        words,
        "ForSequenceClassification",
        **_TEXT,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
    ),
    "mpnet": _model("MPNet", words, "ForSequenceClassification", **_TEXT),
    "squeezebert": _model("SqueezeBert", words, "ForSequenceClassification", **_TEXT, embedding_size=32),
    "mobilebert": _model(
        "MobileBert",
        words,
        "ForSequenceClassification",
        vocab_size=99,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=32,
        embedding_size=32,
        intra_bottleneck_size=32,
    ),
    "gpt2": _model(
        "GPT2",
        tokens,
        "LMHeadModel",
        vocab_size=99,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=64,
        use_cache=False,
    ),
    "opt": _model(
        "OPT",
        words,
        "ForCausalLM",
        vocab_size=99,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=64,
        word_embed_proj_dim=32,
        max_position_embeddings=64,
        use_cache=False,
    ),
    "bloom": _model(
        "Bloom", words, "ForCausalLM", vocab_size=99, hidden_size=32, n_layer=2, n_head=4, use_cache=False
    ),
    "gpt neox": _model("GPTNeoX", tokens, "ForCausalLM", **_TEXT, use_cache=False),
    "llama": _model("Llama", tokens, "ForCausalLM", **_LLM),
    "mistral": _model("Mistral", tokens, "ForCausalLM", **_LLM),
    "qwen2": _model("Qwen2", tokens, "ForCausalLM", **_LLM),
    "gemma": _model("Gemma", tokens, "ForCausalLM", **_LLM, head_dim=8),
    "phi": _model("Phi", tokens, "ForCausalLM", **_TEXT, use_cache=False),
    "mamba": _model(
        "Mamba",
        lambda: tokens(4),
        "ForCausalLM",
        vocab_size=99,
        hidden_size=16,
        num_hidden_layers=1,
        state_size=4,
        use_cache=False,
    ),
    "t5 encoder": _model(
        "T5", tokens, "EncoderModel", vocab_size=99, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4
    ),
    "wav2vec2": _model(
        "Wav2Vec2",
        lambda: {"input_values": torch.randn(1, 2000)},
        **_SMALL,
        conv_dim=[16, 16, 16],
        conv_stride=[5, 2, 2],
        conv_kernel=[10, 3, 3],
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    ),
    "audio spectrogram": _model(
        "AST",
        lambda: {"input_values": torch.randn(1, 64, 32)},
        "ForAudioClassification",
        **_SMALL,
        max_length=64,
        num_mel_bins=32,
    ),
}
