"""Stable Diffusion's U-Net as a space: architectures inherit weights and are fine-tuned for inpainting.

Registers the evaluator ``inpainting:FILE.yaml``, which measures the Fréchet inception distance (FID) after fine-tuning,
and the networks ``sd-unet`` and ``sd-unet-mini``. The space ``sd-unet`` and the table ``sd-unet-mini`` are built in.
``python -m nasbuild.zoo.diffusion --images DIR --out DIR`` makes the table. Importing this package does not load torch.
Needs the extra ``diffusion``.

The examples of this package start from

>>> from nasbuild.zoo.diffusion import plan_of, sd_unet, sd_v1_4, size_of
>>> space, published = sd_unet(), sd_v1_4()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild._lazy_imports import lazy
from nasbuild.zoo.diffusion.size import SIZES, Size, size_of
from nasbuild.zoo.diffusion.space import Plan, StagePlan, plan_of, sd_unet, sd_v1_4

if TYPE_CHECKING:
    from nasbuild.zoo.diffusion.cost import costs
    from nasbuild.zoo.diffusion.evaluator import InpaintingFile, load_inpainting
    from nasbuild.zoo.diffusion.fid import Distance
    from nasbuild.zoo.diffusion.inherit import inherit
    from nasbuild.zoo.diffusion.inpainting import Inpainting, Painted, Validation
    from nasbuild.zoo.diffusion.latents import EncodedFolder, FoldedArrays, Latents, load_vae
    from nasbuild.zoo.diffusion.masks import draw_masks
    from nasbuild.zoo.diffusion.network import DenoisingUNet
    from nasbuild.zoo.diffusion.sample import Sampling, inpaint
    from nasbuild.zoo.diffusion.train import Training, train_unet

_LAZY = {
    "DenoisingUNet": "network",
    "Distance": "fid",
    "EncodedFolder": "latents",
    "FoldedArrays": "latents",
    "Inpainting": "inpainting",
    "InpaintingFile": "evaluator",
    "Latents": "latents",
    "Painted": "inpainting",
    "Sampling": "sample",
    "Validation": "inpainting",
    "Training": "train",
    "costs": "cost",
    "draw_masks": "masks",
    "inherit": "inherit",
    "inpaint": "sample",
    "load_inpainting": "evaluator",
    "load_vae": "latents",
    "train_unet": "train",
}

__all__ = [
    "SIZES",
    "DenoisingUNet",
    "Distance",
    "EncodedFolder",
    "FoldedArrays",
    "Inpainting",
    "InpaintingFile",
    "Latents",
    "Painted",
    "Plan",
    "Sampling",
    "Size",
    "StagePlan",
    "Training",
    "Validation",
    "costs",
    "draw_masks",
    "inherit",
    "inpaint",
    "load_inpainting",
    "load_vae",
    "plan_of",
    "sd_unet",
    "sd_v1_4",
    "size_of",
    "train_unet",
]


__getattr__ = lazy(__name__, _LAZY)
