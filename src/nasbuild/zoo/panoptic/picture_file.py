"""Reads and writes pictures as arrays."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from nasbuild._optional_imports import absent
from nasbuild.errors import NasbuildError


def pillow() -> ModuleType:
    """The module ``PIL.Image``.

    Raises
    ------
    NasbuildError
        If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise absent(error) from None
    return Image


def read_picture(path: Path, *, rgb: bool = False) -> np.ndarray:
    """The values of a picture, (height, width) or (height, width, channels), as the file stores them.

    Orientations in a photograph's EXIF data are not applied, as COCO annotates the stored pixels.

    Parameters
    ----------
    rgb
        Whether to convert grey and other pictures to red, green and blue.

    Raises
    ------
    NasbuildError
        If the file is missing or not a picture.
    """
    image = pillow()
    try:
        with image.open(path) as opened:
            return np.asarray(opened.convert("RGB") if rgb else opened)
    except FileNotFoundError:
        raise NasbuildError("no such file", where=str(path)) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise NasbuildError(f"is not a readable picture ({error})", where=str(path)) from None


def save_picture(values: np.ndarray, path: Path) -> None:
    """Write uint8 (height, width, 3) as a PNG file."""
    pillow().fromarray(values).save(path, "png")
