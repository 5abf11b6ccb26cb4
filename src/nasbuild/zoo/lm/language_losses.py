"""Loss and divergence of a changed language model on windows of tokens, starting at the first block that changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nasbuild._atomic_write import writing
from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.changed_model import ChangedModel, switch
from nasbuild.zoo.lm.model_change import ModelChange

_CHUNK = 128  # tokens whose logits are compared together
_LOGITS = 3  # copies of the logits in memory at a time


class LanguageLosses:
    """Measures changes of a model on fixed windows.

    The hidden states of the unchanged model before each block are kept in memory. A change then runs from its first
    changed block on: with equal results, as the blocks before compute what is kept.

    Parameters
    ----------
    model
        With the unchanged model's weights.
    windows
        Token ids, (windows, context).
    memory
        Bytes for logits of a batch, and for hidden states that are kept. Where all don't fit, those before every
        second, fourth, ... block are.
    probabilities
        File of the unchanged model's probabilities, for the divergence; it is written if it isn't there. None leaves
        the divergence out.

    Examples
    --------
    >>> from nasbuild.zoo.lm import ChangedModel, LanguageLosses
    >>> losses = LanguageLosses(ChangedModel(model), np.arange(64).reshape(2, 32))
    >>> sorted(losses.measure(change)), losses.by_window(change)[0].shape
    (['loss', 'ppl'], (2,))
    """

    def __init__(
        self,
        model: ChangedModel,
        windows: np.ndarray,
        *,
        memory: int = 1 << 30,
        probabilities: Path | None = None,
    ) -> None:
        self.model = model
        self.windows = torch.from_numpy(windows)
        count, context = windows.shape
        vocabulary = model.model.vocabulary
        self._batch = max(1, min(count, memory // (_LOGITS * 4 * context * vocabulary)))
        self._path = probabilities
        self._kept: dict[int, list[Tensor]] = {}
        blocks = len(model.model.blocks)
        hidden = model.model.shape.outer["token_embd"].columns
        every = 1
        while -(-blocks // every) * windows.size * hidden * 4 > memory and every < blocks:
            every *= 2
        self._kept_at = range(every, blocks, every)
        self._reference: np.ndarray | None = None

    def measure(self, change: ModelChange) -> dict[str, float]:
        """Measure a change of the unchanged model.

        Returns
        -------
        dict
            ``loss``: mean negative log-likelihood of a token in nats, of all but the first of each window; ``ppl``, its
            exponential; with probabilities ``kld``, the mean Kullback-Leibler divergence of the unchanged model's next
            token from the changed one's, in nats.
        """
        losses, divergences = self.by_window(change)
        loss = float(losses.mean())
        found = {"loss": loss, "ppl": float(np.exp(loss))}
        if divergences is not None:
            # Rounding makes the divergence of equal models tiny numbers of either sign.
            found["kld"] = max(0.0, float(divergences.mean()))
        return found

    def by_window(self, change: ModelChange) -> tuple[np.ndarray, np.ndarray | None]:
        """Mean loss and divergence of each window, (windows,); no divergence without probabilities.

        Two changes on equal windows differ by far less than windows do, so compare them window by window.
        """
        unchanged = self.model.model.shape.unchanged
        if not self._kept and self._kept_at:
            self.model.apply(unchanged)
            for ids in self._batches():
                self._keep(ids)
        if self._path is not None and self._reference is None:
            self._load_reference(unchanged)
        self.model.apply(change)
        first = max((at for at in self._kept_at if at <= change.first_changed), default=0)
        losses, divergences = [], []
        with torch.inference_mode():
            for number, ids in enumerate(self._batches()):
                for loss, divergence in self._tokens(number, ids, first):
                    losses.append(loss)
                    divergences.append(divergence)
        shape = (len(self.windows), -1)
        means = torch.cat(losses).double().reshape(shape).mean(1).numpy()
        if self._path is None:
            return means, None
        return means, torch.cat(divergences).double().reshape(shape).mean(1).numpy()

    def block_influence(self) -> np.ndarray:
        """How much each block changes its input: 1 less the mean cosine of input and output over tokens, (blocks,).

        From Men et al., "ShortGPT" (2024).
        """
        self.model.apply(self.model.model.shape.unchanged)
        blocks = self.model.model.blocks
        sums = np.zeros(len(blocks))

        def watch(at: int) -> Any:
            def hook(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
                before = args[0] if args else kwargs["hidden_states"]
                after = output[0] if isinstance(output, tuple) else output
                sums[at] += float(torch.cosine_similarity(before, after, dim=-1).double().sum())

            return hook

        hooks = [block.register_forward_hook(watch(at), with_kwargs=True) for at, block in enumerate(blocks)]
        try:
            with torch.inference_mode():
                for ids in self._batches():
                    self.model.model.network.model(ids.to(self.model.device), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        return 1 - sums / self.windows.numel()

    def _batches(self) -> Iterator[Tensor]:
        return iter(self.windows.split(self._batch))

    def _logits(self, ids: Tensor) -> Tensor:
        """Logits of the tokens after the first, (n, context - 1, vocabulary)."""
        return self.model.model.network(ids.to(self.model.device), use_cache=False).logits[:, :-1]

    def _keep(self, ids: Tensor) -> None:
        """Keep hidden states before blocks, on the CPU."""

        def keep(at: int) -> Any:
            def hook(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                states = args[0] if args else kwargs["hidden_states"]
                self._kept.setdefault(at, []).append(states.detach().cpu())

            return hook

        blocks = self.model.model.blocks
        hooks = [blocks[at].register_forward_pre_hook(keep(at), with_kwargs=True) for at in self._kept_at]
        try:
            with torch.inference_mode():
                self.model.model.network.model(ids.to(self.model.device), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()

    def _tokens(self, number: int, ids: Tensor, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Loss and divergence of each token of a batch, in chunks; blocks before ``first`` don't run."""
        blocks = self.model.model.blocks
        off = [block.__dict__.get("forward") for block in blocks[:first]]
        if first:
            kept = self._kept[first][number].to(self.model.device)
            for block in blocks[:first]:
                switch(block, False, self.model.pass_on)
            switch(blocks[first - 1], False, lambda *_args, **_kwargs: self.model.pass_on(kept))
        try:
            logits = self._logits(ids).flatten(0, 1)
        finally:
            for block, before in zip(blocks[:first], off, strict=True):
                switch(block, before is None, before or self.model.pass_on)
        targets = ids[:, 1:].flatten().to(logits.device)
        begin = number * self._batch * (self.windows.shape[1] - 1)
        for at in range(0, len(targets), _CHUNK):
            some, wanted = logits[at : at + _CHUNK].float(), targets[at : at + _CHUNK]
            logs = some.log_softmax(1)
            loss = -logs.gather(1, wanted[:, None])[:, 0]
            divergence = loss.new_zeros(0)
            if self._reference is not None:
                held = np.array(self._reference[begin + at : begin + at + len(wanted)])
                # The last column is the mean log-probability under the unchanged model: sum of p log p.
                p = torch.from_numpy(held).to(logits.device)
                divergence = p[:, -1] - torch.linalg.vecdot(p[:, :-1], logs)
            yield loss.cpu(), divergence.cpu()

    def _load_reference(self, unchanged: ModelChange) -> None:
        assert self._path is not None
        tokens = self.windows.shape[0] * (self.windows.shape[1] - 1)
        shape = (tokens, self.model.model.vocabulary + 1)
        if not self._path.exists():
            self.model.apply(unchanged)
            self._write_reference(self._path, shape)
        found = np.load(self._path, mmap_mode="r", allow_pickle=False)
        if found.shape != shape:
            raise NasbuildError(
                "has the probabilities of other text", where=str(self._path), todo="delete it"
            )
        self._reference = found

    def _write_reference(self, path: Path, shape: tuple[int, int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path) as beside:
            held = np.lib.format.open_memmap(beside, "w+", np.float32, shape)
            at = 0
            with torch.inference_mode():
                for ids in self._batches():
                    for some in self._logits(ids).flatten(0, 1).split(_CHUNK):
                        logs = some.float().log_softmax(1).cpu()
                        p = logs.exp()
                        held[at : at + len(p), :-1] = p.numpy()
                        held[at : at + len(p), -1] = (p * logs).sum(1).numpy()
                        at += len(p)
            held.flush()
