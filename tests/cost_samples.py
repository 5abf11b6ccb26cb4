"""Random declared costs as plain data, and their values layer by layer in plain Python."""

from __future__ import annotations

from hypothesis import strategies as st

from nasbuild.space import ABSENT, Architecture, Space, Stage, choice_key

_NUMBERS = st.integers(-5, 5) | st.sampled_from([0.5, 1.25, 3.0])


@st.composite
def cost_entries(draw, space: Space) -> dict:
    """An entry of ``costs:`` that is valid in the space."""
    entry: dict = {"constant": draw(_NUMBERS)}
    for key in ("sum", "mean"):
        terms = draw(st.lists(_terms(space), max_size=2))
        if terms:
            entry[key] = [term for several in terms for term in several]
    named = [t["feature"] for key in ("sum", "mean") for t in entry.get(key, ()) if "feature" in t]
    if len(set(named)) < len(named):
        # Two sets of values of one feature could stand at the same place.
        seen: set = set()
        for key in ("sum", "mean"):
            for_key, seen = entry.get(key, []), set()
            kept = []
            for term in for_key:
                mark = (term.get("feature"), term.get("stage"), term.get("layer"))
                if "product" in term or mark not in seen:
                    seen.add(mark)
                    kept.append(term)
            if kept:
                entry[key] = kept
    return entry


@st.composite
def _terms(draw, space: Space) -> list[dict]:
    stages = [stage for stage in space.stages if stage.features]
    if not stages or draw(st.integers(0, 4)) == 0:
        return [{"product": draw(_NUMBERS), **_at(draw, draw(st.sampled_from(space.layered)))}]
    stage = draw(st.sampled_from(stages))
    feature = draw(st.sampled_from([f.name for f in stage.features]))
    return [_product(draw, space, stage)] if draw(st.booleans()) else _values(draw, space, feature)


def _at(draw, stage: Stage) -> dict:
    layer = draw(st.sampled_from([None, None, "last", *range(max(stage.depths))]))
    return {"stage": stage.name} if layer is None else {"stage": stage.name, "layer": layer}


def _values(draw, space: Space, feature: str) -> list[dict]:
    stages = [s for s in space.stages if feature in {f.name for f in s.features}]
    every = {choice_key(c): c for s in stages for c in s.feature(feature).present}.values()
    terms = [{"feature": feature, "values": [[c, draw(_NUMBERS)] for c in every if draw(st.booleans())]}]
    terms[0]["otherwise"] = draw(_NUMBERS)
    if draw(st.booleans()):
        stage = draw(st.sampled_from(stages))
        own = [[c, draw(_NUMBERS)] for c in stage.feature(feature).present if draw(st.booleans())]
        terms.append({"feature": feature, "values": own, **_at(draw, stage)})
    return terms


def _product(draw, space: Space, stage: Stage) -> dict:
    u = space.stages.index(stage)
    before = [] if stage.is_globals else [stage]
    while before and u > 0:
        # The layer before may be in any of these, as stages between may be absent.
        u -= 1
        before.append(space.stages[u])
        if min(space.stages[u].depths):
            break
    shared = set.intersection(*({f.name for f in s.features} for s in before)) if before else set[str]()
    factors: list[dict] = []
    for of, allowed in (
        ("layer", {f.name for f in stage.features}),
        ("previous", shared),
        ("globals", set() if space.globals is None else {f.name for f in space.globals.features}),
    ):
        if allowed and draw(st.booleans()):
            for name in draw(st.lists(st.sampled_from(sorted(allowed)), min_size=1, max_size=2)):
                factors.append({"feature": name, "of": of, "power": draw(st.sampled_from([1, 1, 2, 3]))})
    names = {f["feature"] for f in factors}
    numbers = {}
    for name in names:
        stages = [s for s in space.stages if name in {f.name for f in s.features}]
        choices = {choice_key(c): c for s in stages for c in s.feature(name).present}.values()
        numbers[name] = [[c, draw(_NUMBERS)] for c in choices]
    previous = {f["feature"] for f in factors if f["of"] == "previous"}
    term = {"product": [draw(_NUMBERS), *factors], "numbers": numbers, **_at(draw, stage)}
    if previous:
        term["first"] = {name: draw(_NUMBERS) for name in previous}
    return term


def plain_value(space: Space, entry: dict, architecture: Architecture) -> float:
    """A cost by its definition, a layer after the other."""
    total = float(entry.get("constant", 0))
    for key in ("sum", "mean"):
        terms = entry.get(key, [])
        groups = [[t] for t in terms if "product" in t]
        groups += [
            [t for t in terms if t.get("feature") == n]
            for n in {t["feature"] for t in terms if "feature" in t}
        ]
        for group in groups:
            added = [v for v in _at_layers(space, group, architecture) if v is not None]
            total += sum(added) if key == "sum" else sum(added) / len(added) if added else 0.0
    return total


def _at_layers(space: Space, group: list[dict], architecture: Architecture) -> list[float | None]:
    found, before = [], None
    whole = {}
    if space.globals:
        whole = dict(zip((f.name for f in space.globals.features), architecture.modules[-1][0], strict=True))
    for stage, module in zip(space.stages, architecture.modules, strict=True):
        for number, layer in enumerate(module):
            own = dict(zip((f.name for f in stage.features), layer, strict=True))
            place = stage.name, number, len(module)
            found.append(
                _product_at(group[0], place, own, before, whole)
                if "product" in group[0]
                else _value_at(group, place, own)
            )
            before = own
    return found


def _there(term: dict, place: tuple[str, int, int]) -> bool:
    name, number, depth = place
    layer = depth - 1 if term.get("layer") == "last" else term.get("layer", number)
    return term.get("stage", name) == name and layer == number


def _value_at(group: list[dict], place: tuple[str, int, int], own: dict) -> float | None:
    if group[0]["feature"] not in own:
        return None
    choice = own[group[0]["feature"]]
    if choice is ABSENT:
        return None
    ranked = sorted(
        group,
        key=lambda t: (
            "stage" in t,
            [None, "last"].index(t.get("layer")) if t.get("layer") in (None, "last") else 2,
        ),
    )
    for term in reversed(ranked):
        if _there(term, place):
            for key, value in term["values"]:
                if choice_key(key) == choice_key(choice):
                    return float(value)
            if "otherwise" in term:
                return float(term["otherwise"])
    raise AssertionError("no value")


def _product_at(
    term: dict, place: tuple[str, int, int], own: dict, before: dict | None, whole: dict
) -> float | None:
    if not _there(term, place):
        return None
    product = term["product"] if isinstance(term["product"], list) else [term["product"]]
    value = float(product[0])
    if any(f["of"] == "layer" and own[f["feature"]] is ABSENT for f in product[1:]):
        return None
    for factor in product[1:]:
        name = factor["feature"]
        if factor["of"] == "previous" and before is None:
            number = term["first"][name]
        else:
            layer = {"layer": own, "previous": before, "globals": whole}[factor["of"]]
            if layer[name] is ABSENT:
                return 0.0
            number = next(v for c, v in term["numbers"][name] if choice_key(c) == choice_key(layer[name]))
        value *= float(number) ** factor["power"]
    return value
