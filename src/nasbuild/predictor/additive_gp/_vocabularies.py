"""Which features choose from the same texts, such as the tensors of a model from the types of a quantiser."""

from __future__ import annotations

from nasbuild.space import Space, choice_key, features_by_name


def vocabularies(space: Space) -> dict[str, str]:
    """For each feature, the name of the first feature with the same choices.

    Numbers have a meaning only within a feature, so a feature with a number among its choices shares them with none.

    >>> from nasbuild.space import space_from_yaml
    >>> features = "{attn: [bf16, q4_0], mlp: [bf16, q4_0], width: [1, 2], heads: [1, 2]}"
    >>> vocabularies(space_from_yaml("{name: s, stages: [{name: b, depth: 1, features: %s}]}" % features))
    {'attn': 'attn', 'mlp': 'attn', 'width': 'width', 'heads': 'heads'}
    """
    first: dict[object, str] = {}
    found = {}
    for name, feature in features_by_name(space.stages).items():
        number = any(isinstance(c, int | float) and not isinstance(c, bool) for c in feature.choices)
        choices = name if number or feature.range else tuple(map(choice_key, feature.choices))
        found[name] = first.setdefault(choices, name)
    return found
