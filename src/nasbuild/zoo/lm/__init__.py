"""Language models: their blocks and parts switched off, narrowed and rounded, measured on text.

Reads Hugging Face folders and GGUF files (`read_shape`, `load_model`), makes the space of what a model can become
(`model_space`), and measures its architectures (`load_language_task`). Registers the evaluator ``lm:FILE.yaml``.
Importing this package does not load torch.
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
    from nasbuild.zoo.lm.language_losses import LanguageLosses
    from nasbuild.zoo.lm.loaded_model import LoadedModel, load_model, load_tokenizer
    from nasbuild.zoo.lm.model_writer import WrittenModel, write_model
    from nasbuild.zoo.lm.shape_of_file import read_shape
    from nasbuild.zoo.lm.space_of_model import model_space
    from nasbuild.zoo.lm.text_windows import read_texts, token_windows

_LAZY = {
    "ChangedModel": "changed_model",
    "LanguageLosses": "language_losses",
    "LanguageTask": "evaluator",
    "LoadedModel": "loaded_model",
    "change_of": "change_of_architecture",
    "language_costs": "exact_costs",
    "WrittenModel": "model_writer",
    "load_language_task": "evaluator",
    "load_model": "loaded_model",
    "load_tokenizer": "loaded_model",
    "model_space": "space_of_model",
    "read_shape": "shape_of_file",
    "read_texts": "text_windows",
    "token_windows": "text_windows",
    "write_model": "model_writer",
}

__all__ = [
    "BlockChange",
    "BlockShape",
    "ChangedModel",
    "LanguageLosses",
    "LanguageTask",
    "LoadedModel",
    "ModelChange",
    "ModelShape",
    "TensorShape",
    "WrittenModel",
    "change_of",
    "language_costs",
    "load_language_task",
    "load_model",
    "load_tokenizer",
    "model_space",
    "read_shape",
    "read_texts",
    "token_windows",
    "write_model",
]

__getattr__ = lazy(__name__, _LAZY)
