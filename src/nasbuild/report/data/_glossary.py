"""Words of the report that not every reader knows, with their explanations."""

from __future__ import annotations

from typing import Any

TERMS = {
    "architecture": "A network of the space: one module for each stage.",
    "baseline": "Another method, fitted and tested on the same rows beside this one.",
    "built": "Put together from the best modules by their scores, without evaluating anything.",
    "cost": "A quantity that is known exactly for every architecture, such as a number of parameters.",
    "dominated": "Another architecture is at least as good in every target, and better in one.",
    "effect": "How much a choice changes the score of a module, compared with the mean over the choices.",
    "extrapolates": "The prediction lies outside the range of the labels, or the table has nothing similar.",
    "front": "The Pareto front: architectures of which no other is at least as good in every target and better in one.",
    "held-out": "Labels that a fit does not see, and on which it is tested.",
    "hop": "How many neighbouring layers a score takes into account: 0 is a layer alone. In neural networks, the message-passing depth.",
    "hypervolume": "Share of the box between the worst labels and the best values that a front dominates; larger is better.",
    "label": "The measured value of a target for one row of the table.",
    "module": "The whole sequence of layers of one stage.",
    "PED-ANOVA": "A measure of importance: how much a choice matters for being among the best tenth.",
    "prediction": "y': the expected value of a target for a whole architecture.",
    "reference": "The architecture that others are shown as changes of.",
    "score": "The learned worth of a module; the scores of an architecture add up, and one alone may be negative.",
    "SRCC": "Spearman rank correlation: 1 if two orders agree, 0 if they have nothing in common, −1 if one is the reverse.",
    "stage": "A run of layers at one resolution, or one block of a network.",
    "target": "What is to be made large or small: a metric, or an equation of metrics.",
    "tied": "Within the noise: the fit is less than 90 % sure that it is worse than the best.",
    "±": "One standard deviation.",
}


def glossary_data() -> dict[str, Any]:
    """Returns all terms in alphabetical order, signs last."""
    names = sorted(TERMS, key=lambda name: (not name[0].isalpha(), name.lower()))
    return {"terms": [(name, TERMS[name]) for name in names], "health": None, "next": []}
