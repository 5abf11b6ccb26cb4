"""Recurrent layers and einsum as single calls, which devices would split in different ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch.overrides import TorchFunctionMode

from nasbuild._macs.torch_operations import is_whole


class Watch(Protocol):
    """Sees the operations that torch dispatches, except those inside a whole call.

    Attributes
    ----------
    silent
        Whether a whole call is under way.
    """

    silent: bool

    def whole(self, name: str, args: Sequence[Any], found: Any, /) -> None:
        """Called after each whole call."""
        ...


class Whole(TorchFunctionMode):
    """Reports each whole call to a watch, which is silent during the call."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        name = getattr(func, "__name__", "")
        if self._watch.silent or not is_whole(name, args):
            return func(*args, **(kwargs or {}))
        self._watch.silent = True
        try:
            found = func(*args, **(kwargs or {}))
        finally:
            self._watch.silent = False
        self._watch.whole(name, args, found)
        return found
