"""The evaluator ``lm:FILE.yaml``: loss of a language model with parts switched off, narrowed or rounded."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Evaluator
from nasbuild.space import Architecture, Metric, Space
from nasbuild.zoo.lm.change_of_architecture import Order, change_of
from nasbuild.zoo.lm.changed_model import ChangedModel
from nasbuild.zoo.lm.exact_costs import language_costs
from nasbuild.zoo.lm.kept_first import orders_by_activation, orders_by_norm
from nasbuild.zoo.lm.language_losses import LanguageLosses
from nasbuild.zoo.lm.lm_file import GIB, LmFile, read_lm_file
from nasbuild.zoo.lm.loaded_model import LoadedModel, load_model, load_tokenizer
from nasbuild.zoo.lm.model_change import ModelChange
from nasbuild.zoo.lm.space_of_model import METRICS
from nasbuild.zoo.lm.text_windows import Split, read_texts, token_windows


class LanguageTask:
    """A language model and text, ready to measure changes. The model is loaded when it is first needed.

    Attributes
    ----------
    file
        Its settings.

    Examples
    --------
    >>> from nasbuild.space import load_space
    >>> from nasbuild.zoo.lm import load_language_task
    >>> load_language_task("nowhere.yaml")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nowhere.yaml: no such file
    """

    def __init__(self, file: LmFile, base: Path, work: Path) -> None:
        self.file = file
        self.path = base / file.model
        self._base, self._work = base, work
        if not self.path.exists():
            raise NasbuildError("no such model", where=str(self.path), todo="give a GGUF file or a folder")
        self._texts = read_texts(file.text, base)

    def measure(self, space: Space, architecture: Architecture) -> Mapping[str, float]:
        """Metrics of an architecture of the model's space.

        Returns
        -------
        dict
            ``loss`` (nats a token), ``ppl``, ``kld`` where the file wants it, ``bytes``, ``params``, ``macs`` a token,
            ``kv_bytes``, and the ``seconds`` that it took.
        """
        begun = time.monotonic()
        change = self.change_of(space, architecture)
        found = self.losses.measure(change)
        costs = language_costs(self.model.shape, change, self.file.context)
        return {**found, **costs, "seconds": time.monotonic() - begun}

    def change_of(self, space: Space, architecture: Architecture) -> ModelChange:
        """What an architecture changes."""
        narrow = {"kv_heads", "channels"} & {
            feature.name for stage in space.stages for feature in stage.features
        }
        return change_of(self.model.shape, space, architecture, self.orders if narrow else ())

    @cached_property
    def model(self) -> LoadedModel:
        """The unchanged model."""
        return load_model(self.path, self.device)

    @property
    def device(self) -> str:
        """Device that computes."""
        if self.file.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.file.device

    @cached_property
    def losses(self) -> LanguageLosses:
        """Measures changes of the model."""
        memory = int(self.file.memory * GIB)
        path = self._work / f"probabilities-{self._digest()}.npy" if self.file.kld else None
        windows = self._windows(self.file.split)
        return LanguageLosses(self.changed, windows, memory=memory, probabilities=path)

    @cached_property
    def changed(self) -> ChangedModel:
        """The model in memory that changes are applied to."""
        return ChangedModel(self.model, int(self.file.memory * GIB))

    @cached_property
    def orders(self) -> list[Order]:
        """Which heads and channels of each block are kept first: by the windows for learning, whatever the split."""
        self.changed.apply(self.model.shape.unchanged)
        if self.file.keep == "norm":
            return list(orders_by_norm(self.model))
        windows = torch.from_numpy(self._windows("learn")).to(self.device)
        return list(orders_by_activation(self.model, windows.split(1)))

    def _windows(self, split: Split) -> np.ndarray:
        return token_windows(self._texts, self._tokenizer, self.file.context, self.file.windows, split)

    @cached_property
    def _tokenizer(self) -> object:
        return load_tokenizer(self.path)

    def _digest(self) -> str:
        """Names the model's file and the text, so that probabilities of others are not taken for theirs."""
        size = sum(
            one.stat().st_size for one in ([self.path] if self.path.is_file() else self.path.glob("*"))
        )
        file = self.file
        parts = [str(self.path.resolve()), size, file.context, file.windows, file.split, self._texts]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def load_language_task(path: str | os.PathLike[str]) -> LanguageTask:
    """Load a `LanguageTask` from a settings file.

    Raises
    ------
    NasbuildError
        If something in the file is missing or invalid.

    Examples
    --------
    >>> from pathlib import Path
    >>> from nasbuild.zoo.lm import load_language_task
    >>> _ = Path("lm.yaml").write_text("{model: model, text: corpus.txt, windows: none}")
    >>> load_language_task("lm.yaml")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: lm.yaml: windows is 'none'; allowed: whole numbers above 0
    """
    return LanguageTask(read_lm_file(path), Path(path).parent, Path(f"{path}.work"))


def lm_evaluator(argument: str, space: Space, seed: int) -> Evaluator:
    """The evaluator ``lm:FILE.yaml``; registered in the group ``nasbuild.evaluators``."""
    del seed  # nothing is random
    task = load_language_task(argument)
    names = [name for name in METRICS if name != "kld" or task.file.kld]
    metrics = {name: Metric(name, **{"direction": "minimize", **_of(METRICS[name])}) for name in names}

    def measure(architecture: Architecture) -> Mapping[str, float]:
        return task.measure(space, architecture)

    return Evaluator("lm", metrics, measure, "expensive")


def _of(metric: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in metric.items() if key in ("direction", "unit", "minimum")}
