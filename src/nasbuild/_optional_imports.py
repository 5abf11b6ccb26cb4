"""Optional packages: a missing one gives an error with what to install."""

from __future__ import annotations

import importlib.util

from nasbuild.errors import NasbuildError

_EXTRAS = {
    "mlflow": ("mlflow",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "optuna": ("optuna",),
    "pandas": ("pandas",),
    "postgresql": ("psycopg",),
    "ray": ("ray",),
    "diffusion": ("accelerate", "diffusers", "torchmetrics", "torchvision"),
    "lm": ("gguf", "tokenizers"),
    "panoptic": ("transformers",),
    "baselines": ("lightgbm",),
    "bench": ("botorch", "catboost"),
    "images": ("PIL",),
    "inputs": ("fastexcel",),
    "plots": ("matplotlib",),
}
_OF_PACKAGE = {package: extra for extra, packages in _EXTRAS.items() for package in packages}


def is_installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def absent(error: ModuleNotFoundError) -> NasbuildError:
    """The error for a missing package, with the command that installs it."""
    package = (error.name or str(error)).partition(".")[0]
    extra = _OF_PACKAGE.get(package)
    what = f"nasbuild[{extra}]" if extra else "nasbuild"
    return NasbuildError(
        f"this needs the package {package}, which is not installed", todo=f"pip install '{what}'"
    )
