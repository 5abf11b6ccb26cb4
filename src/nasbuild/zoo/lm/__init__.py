"""Language models: their blocks and parts switched off, narrowed and rounded, measured on text.

Reads Hugging Face folders and GGUF files (`read_shape`, `load_model`), makes the space of what a model can become
(`model_space`), and measures its architectures (`load_language_task`). Writes the chosen ones as GGUF files and folders
(`write_gguf`, `write_model_folder`), and as settings of other quantisers (`write_layer_settings`). Registers the
evaluator ``lm:FILE.yaml``. Importing this package does not load torch.

The examples of this package start from

>>> import numpy as np
>>> from transformers import LlamaConfig, LlamaForCausalLM
>>> small = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1}
>>> config = LlamaConfig(**small, intermediate_size=128, vocab_size=96)
>>> LlamaForCausalLM(config).save_pretrained("model")
>>> from nasbuild.zoo.lm import BlockChange, ModelChange, load_model, model_space, read_shape
>>> model = load_model("model")
>>> shape = model.shape
>>> change = ModelChange((BlockChange(), BlockChange(mlp=False), BlockChange(types={"attn_v": "q4_0"})))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild._lazy_imports import lazy
from nasbuild.zoo.lm.model_change import BlockChange, ModelChange
from nasbuild.zoo.lm.model_shape import BlockShape, ModelShape, TensorShape

if TYPE_CHECKING:
    from nasbuild.zoo.lm.change_of_architecture import change_of
    from nasbuild.zoo.lm.changed_model import ChangedModel
    from nasbuild.zoo.lm.evaluator import LanguageTask, load_language_task
    from nasbuild.zoo.lm.exact_costs import language_costs
    from nasbuild.zoo.lm.folder_writer import WrittenFolder, write_model_folder
    from nasbuild.zoo.lm.gguf_writer import WrittenGguf, write_gguf
    from nasbuild.zoo.lm.language_losses import LanguageLosses
    from nasbuild.zoo.lm.layer_settings import (
        LayerSettings,
        auto_round_layer_config,
        llama_quantize_options,
        mlx_quantization,
        write_layer_settings,
    )
    from nasbuild.zoo.lm.loaded_model import LoadedModel, load_model, load_tokenizer
    from nasbuild.zoo.lm.model_writer import WrittenModel, write_model
    from nasbuild.zoo.lm.shape_of_file import read_shape
    from nasbuild.zoo.lm.space_of_model import model_space
    from nasbuild.zoo.lm.tensor_types import TensorType, k_types, tensor_type, tensor_types
    from nasbuild.zoo.lm.text_windows import read_texts, token_windows

_LAZY = {
    "ChangedModel": "changed_model",
    "LanguageLosses": "language_losses",
    "LanguageTask": "evaluator",
    "LayerSettings": "layer_settings",
    "LoadedModel": "loaded_model",
    "TensorType": "tensor_types",
    "WrittenFolder": "folder_writer",
    "WrittenGguf": "gguf_writer",
    "WrittenModel": "model_writer",
    "auto_round_layer_config": "layer_settings",
    "change_of": "change_of_architecture",
    "k_types": "tensor_types",
    "language_costs": "exact_costs",
    "llama_quantize_options": "layer_settings",
    "load_language_task": "evaluator",
    "load_model": "loaded_model",
    "load_tokenizer": "loaded_model",
    "mlx_quantization": "layer_settings",
    "model_space": "space_of_model",
    "read_shape": "shape_of_file",
    "read_texts": "text_windows",
    "tensor_type": "tensor_types",
    "tensor_types": "tensor_types",
    "token_windows": "text_windows",
    "write_gguf": "gguf_writer",
    "write_layer_settings": "layer_settings",
    "write_model": "model_writer",
    "write_model_folder": "folder_writer",
}

__all__ = [
    "BlockChange",
    "BlockShape",
    "ChangedModel",
    "LanguageLosses",
    "LanguageTask",
    "LayerSettings",
    "LoadedModel",
    "ModelChange",
    "ModelShape",
    "TensorShape",
    "TensorType",
    "WrittenFolder",
    "WrittenGguf",
    "WrittenModel",
    "auto_round_layer_config",
    "change_of",
    "k_types",
    "language_costs",
    "llama_quantize_options",
    "load_language_task",
    "load_model",
    "load_tokenizer",
    "mlx_quantization",
    "model_space",
    "read_shape",
    "read_texts",
    "tensor_type",
    "tensor_types",
    "token_windows",
    "write_gguf",
    "write_layer_settings",
    "write_model",
    "write_model_folder",
]

__getattr__ = lazy(__name__, _LAZY)
