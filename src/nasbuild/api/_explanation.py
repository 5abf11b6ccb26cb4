"""What a fit says, as a notebook shows it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Explanation(Mapping[str, Any]):
    """What matters by a fit: plain data (as ``nasbuild explain --json`` prints it) that shows itself as sentences.

    ``explanation["targets"][0]`` holds the trust in the fit of the first target, what its feature choices and modules are
    worth, and the next steps.

    Examples
    --------
    >>> explanation = nb.explain(fit)
    >>> explanation["targets"][0]["trust"]["level"]
    'fair'
    >>> "acc" in str(explanation)
    True
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def to_pandas(self) -> pd.DataFrame:
        """Effects of all choices as a pandas frame: ``target``, ``feature``, ``stage``, ``choice``, ``effect``, ``std``.

        ``stage`` is None for effects over all stages.

        Raises
        ------
        NasbuildError
            If pandas is not installed.
        """
        from nasbuild.api._rows import Rows

        rows = [
            {
                "target": target["target"],
                "feature": feature["feature"],
                "stage": part.get("name"),
                "choice": choice["choice"],
                "effect": choice["effect"],
                "std": choice["effect_std"],
            }
            for target in self["targets"]
            for feature in target["features"]
            for part in (feature, *feature["stages"])
            for choice in part["choices"]
        ]
        return Rows(rows, "effects of choices").to_pandas()

    def __repr__(self) -> str:
        blocks = [[name, *(f"  {line}" for line in lines)] for name, lines in self._sentences()]
        return "\n\n".join("\n".join(block) for block in blocks)

    def _repr_html_(self) -> str:
        return "".join(
            f"<h4>{html.escape(name)}</h4><ul>"
            + "".join(f"<li>{html.escape(line)}</li>" for line in lines)
            + "</ul>"
            for name, lines in self._sentences()
        )

    def _sentences(self) -> list[tuple[str, list[str]]]:
        """Each target with its verdict, findings and next steps."""
        found = []
        for target in self["targets"]:
            verdict = target["known"] or target["trust"]["verdict"]
            steps = [line for step in target["next"] for line in _step_lines(step, target["target"])]
            findings = [f["text"] if isinstance(f, Mapping) else f for f in target["findings"]]
            # A target that is known exactly says so instead of a verdict, and among its findings.
            lines = dict.fromkeys([verdict, *findings])
            found.append((target["target"], [*lines, *steps]))
        return found


def _step_lines(step: Mapping[str, Any], target: str) -> list[str]:
    """A next step with its details, and the call for it where a fit has one."""
    calls = {
        "propose": f"fit.propose(5, target={target!r})",
        "shrink": f"fit.shrink(25, targets=[{target!r}])",
    }
    text = step["text"]
    if step["kind"] in calls:
        text = f"{text[:-1]} ({calls[step['kind']]}){text[-1]}"
    return [f"next: {text}", *(f"  {line}" for line in step.get("details", ()))]
