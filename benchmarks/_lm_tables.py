"""Measurements of a language model's architectures, kept in a file as they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nasbuild._atomic_write import write_text
from nasbuild.space import Architecture, Space, architecture_id, to_dict
from nasbuild.zoo.lm import LanguageTask, load_language_task

CONTEXT = 512


class Measured:
    """Losses of architectures on the text for learning and on that of the test; each is measured once."""

    def __init__(self, options: Any) -> None:
        options.work.mkdir(parents=True, exist_ok=True)
        self.path = options.work / "measured.jsonl"
        self.tasks: dict[str, LanguageTask] = {}
        windows = {"learn": options.windows, "test": options.test_windows}
        for split, count in windows.items():
            settings = {
                "model": str(options.model.resolve()),
                "text": [str(Path(one).resolve()) for one in options.text],
                "context": CONTEXT,
                "windows": count,
                "split": split,
                "kld": split == "learn",
            }
            file = options.work / f"{split}.yaml"
            write_text(file, "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
            self.tasks[split] = load_language_task(file)
        # One model in memory serves both.
        for name in ("model", "changed"):
            self.tasks["test"].__dict__[name] = getattr(self.tasks["learn"], name)
        self.rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                row = json.loads(line)
                self.rows[row["space"], row["split"], row["id"]] = row

    def learn(self, space: Space, one: Architecture) -> dict[str, Any]:
        """Loss and divergence on the text for learning."""
        return self._of("learn", space, one)

    def test(self, space: Space, one: Architecture) -> dict[str, Any]:
        """Loss on the text of the test, and that of each window."""
        return self._of("test", space, one)

    def _of(self, split: str, space: Space, one: Architecture) -> dict[str, Any]:
        key = (space.name, split, architecture_id(space, one))
        if key not in self.rows:
            task = self.tasks[split]
            found = dict(task.measure(space, one)) if split == "learn" else self._by_window(task, space, one)
            row = {"space": key[0], "split": split, "id": key[2], "arch": to_dict(space, one), **found}
            with self.path.open("a") as stream:
                stream.write(json.dumps(row) + "\n")
            self.rows[key] = row
        return self.rows[key]

    def _by_window(self, task: LanguageTask, space: Space, one: Architecture) -> dict[str, Any]:
        losses, _ = task.losses.by_window(task.change_of(space, one))
        return {"loss": float(losses.mean()), "windows": losses.round(5).tolist()}
