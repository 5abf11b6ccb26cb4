"""The evaluator ``panoptic:FILE.yaml``: panoptic quality of once-for-all backbones, fine-tuned or not."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Evaluator
from nasbuild.space import Architecture, Space, architecture_id, load_space
from nasbuild.zoo._tensor_files import read_tensors, write_tensors
from nasbuild.zoo.ofa.family import layers_of
from nasbuild.zoo.ofa.weights import load_weights
from nasbuild.zoo.panoptic.cost import costs
from nasbuild.zoo.panoptic.network import SharedPanoptic, build_shared
from nasbuild.zoo.panoptic.network_quality import quality_of_network, recalibrate_network
from nasbuild.zoo.panoptic.panoptic_file import PanopticFile, read_panoptic_file
from nasbuild.zoo.panoptic.scene import PanopticData
from nasbuild.zoo.panoptic.train import Progress, describe, recalibration_pictures, train_panoptic

METRICS = load_space("panoptic-scenes").metrics


@dataclass(frozen=True, eq=False)
class Panoptic:
    """A panoptic task, ready to train and to measure networks.

    Attributes
    ----------
    file
        Its settings.
    train, test
        Scenes for training and for the test.
    shared
        The weights with which networks start: of the parent, or of the backbone and a random head.
    folder
        Folder of checkpoints of unfinished trainings.

    Examples
    --------
    >>> from nasbuild.space import load_space, sample
    >>> from nasbuild.zoo.panoptic import load_panoptic, write_coco
    >>> from pathlib import Path
    >>> for part in ("train2017", "val2017"):
    ...     write_coco([scene] * 2, categories, "made")
    ...     Path("coco/annotations").mkdir(parents=True, exist_ok=True)
    ...     _ = Path("made/images").rename(f"coco/{part}")
    ...     _ = Path("made/panoptic").rename(f"coco/annotations/panoptic_{part}")
    ...     _ = Path("made/panoptic.json").rename(f"coco/annotations/panoptic_{part}.json")
    ...     Path("made").rmdir()
    >>> text = "{data: coco, folder: coco, family: panoptic-scenes, side: 32, steps: 1, batch: 2}"
    >>> _ = Path("task.yaml").write_text(text)
    >>> panoptic, space = load_panoptic("task.yaml"), load_space("panoptic-scenes")
    >>> sorted(panoptic.measure(space, sample(space, 1, 0)[0]))
    ['gflops', 'params', 'pq', 'pq_stuff', 'pq_things', 'rq', 'seconds', 'sq']
    >>> panoptic.train_parent("parent.safetensors")
    >>> panoptic.load_parent(Path("parent.safetensors"))
    """

    file: PanopticFile
    train: PanopticData
    test: PanopticData
    shared: SharedPanoptic
    folder: Path

    def measure(self, space: Space, architecture: Architecture, seed: int = 0) -> Mapping[str, float | None]:
        """Metrics of an architecture.

        Returns
        -------
        dict
            ``pq``, ``sq``, ``rq``, ``pq_things``, ``pq_stuff`` in per cent; ``gflops`` and ``params`` of backbone
            and head; ``seconds`` that training and test took, None if an earlier process did a part of it.
        """
        begun, layers = time.monotonic(), layers_of(space, architecture)
        network, resumed = self.shared.extract(layers), False
        path = self.folder / f"{self._name(space, architecture, seed)}.safetensors"
        augmentation = self.file.augmentation()
        if not self.file.pseudo:
            resumed = path.exists()
            train_panoptic(
                network,
                self.train,
                self.file.training(seed),
                path,
                augmentation=augmentation,
                workers=self.file.workers,
                initial_weights=str(self.file.parent or self.file.backbone),
            )
        pictures = recalibration_pictures(self.train, self.file.training(0), augmentation)
        recalibrate_network(network, pictures)
        gflops, params = costs(
            self.shared.backbone.family,
            layers,
            tuple(self.train.categories),
            self.file.head_settings(),
            self.file.shorter_side,
        )
        found = quality_of_network(
            network,
            self.test,
            short_side=self.file.shorter_side,
            longest_side=self.file.longest,
            batch=self.file.test_batch,
        )
        path.unlink(missing_ok=True)
        return {
            "pq": found.pq,
            "sq": found.sq,
            "rq": found.rq,
            "pq_things": found.pq_things,
            "pq_stuff": found.pq_stuff,
            "gflops": gflops,
            "params": float(params),
            "seconds": None if resumed else time.monotonic() - begun,
        }

    def train_parent(
        self, path: str | os.PathLike[str], seed: int = 0, progress: Progress | None = None
    ) -> None:
        """Train backbone and head with shared weights, a random network at each step, and write them to ``path``.

        An interrupted training resumes at its checkpoint in ``folder``.
        """
        checkpoint = self.folder / f"parent-{seed}.safetensors"
        train_panoptic(
            self.shared,
            self.train,
            self.file.training(seed),
            checkpoint,
            augmentation=self.file.augmentation(),
            workers=self.file.workers,
            initial_weights=str(self.file.parent or self.file.backbone),
            progress=progress or (lambda *_: None),
        )
        write_tensors(path, self.shared.state_dict(), self._about())

    def load_parent(self, path: Path) -> None:
        """Load shared weights that `train_parent` wrote.

        Raises
        ------
        NasbuildError
            If the file is missing, damaged, or of another family, head or other categories.
        """
        tensors, _ = read_tensors(path, self._about(), todo="give the same family, head and categories")
        self.shared.load_state_dict(tensors)

    def _about(self) -> dict[str, str]:
        names = json.dumps([(one.id, one.name, one.thing) for one in self.train.categories])
        return {"network": describe(self.shared), "categories": names}

    def _name(self, space: Space, architecture: Architecture, seed: int) -> str:
        text = f"{architecture_id(space, architecture)} {seed}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_panoptic(path: str | os.PathLike[str], *, seed: int = 0) -> Panoptic:
    """Load a `Panoptic` from a settings file.

    Parameters
    ----------
    seed
        Seed of random weights: of the head without ``parent``, of the backbone without ``backbone`` either.

    Raises
    ------
    NasbuildError
        If something in the file is missing or invalid.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import load_panoptic
    >>> load_panoptic("nowhere.yaml")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nowhere.yaml: no such file
    """
    file, base = read_panoptic_file(path), Path(path).parent
    if file.parent is not None and file.backbone is not None:
        raise NasbuildError(
            "gives both parent and backbone", where=str(path), todo="give one: a parent contains a backbone"
        )
    if file.pseudo and file.parent is None:
        raise NasbuildError(
            "pseudo: true needs a parent",
            where=str(path),
            todo="train one: python -m nasbuild.zoo.panoptic FILE.yaml --out parent.safetensors",
        )
    train, test = file.scenes_of(base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shared = build_shared(file.shapes(), train.categories, file.head_settings())
    panoptic = Panoptic(file, train, test, shared, Path(f"{path}.work"))
    if file.parent is not None:
        panoptic.load_parent(base / file.parent)
    elif file.backbone is not None:
        load_weights(shared.backbone.supernet, base / file.backbone)
    return panoptic


def panoptic_evaluator(argument: str, space: Space, seed: int) -> Evaluator:
    """The evaluator ``panoptic:FILE.yaml``; registered in the group ``nasbuild.evaluators``."""
    panoptic = load_panoptic(argument, seed=seed)

    def measure(architecture: Architecture) -> Mapping[str, float | None]:
        return panoptic.measure(space, architecture, seed)

    return Evaluator("panoptic", METRICS, measure, "expensive")
