"""Drawings of modules: well-formed for any space, complete and within bounds."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given

from nasbuild.report import Chain, Palette, draw_architecture, draw_legend, draw_modules, draw_panels
from nasbuild.space import Architecture, space_from_dict
from strategies import relaxed, spaces_and_architectures

_SVG = "{http://www.w3.org/2000/svg}"


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(markup))


def cells(picture: ElementTree.Element) -> list[ElementTree.Element]:
    return list(picture.iter(f"{_SVG}rect"))


def texts(picture: ElementTree.Element) -> list[str]:
    return [t.text or "" if not len(t) else (t[-1].tail or "") for t in picture.iter(f"{_SVG}text")]


@relaxed
@given(spaces_and_architectures(most=2))
def test_any_space_can_be_drawn(drawn):
    space, architectures = drawn
    palette = Palette(space)
    for u, stage in enumerate(space.stages):
        chains = [Chain(a.modules[u], f"{n} <&>") for n, a in enumerate(architectures)]
        picture = parsed(draw_modules(space, u, chains, heading="Best", palette=palette))
        boxes = cells(picture)
        assert len(boxes) == sum(len(c.module) for c in chains) * max(len(stage.features), 1)
        width, height = float(picture.get("width")), float(picture.get("height"))
        assert all(float(b.get("y")) + float(b.get("height")) <= height for b in boxes)
        assert all(float(b.get("x")) + float(b.get("width")) <= width + 0.01 for b in boxes)
    for architecture in architectures:
        picture = parsed(draw_architecture(space, architecture, palette=palette))
        layers = zip(space.stages, architecture.modules, strict=True)
        assert len(cells(picture)) == sum(len(m) * max(len(s.features), 1) for s, m in layers)
    legend = parsed(draw_legend(space, palette=palette))
    assert len(cells(legend)) == sum(len(f.choices) for f in palette.features.values())


@pytest.fixture
def deep():
    features = {f"f{n}": [1, 2, 3] for n in range(8)}
    stages = [
        {
            "name": "long",
            "depth": [10],
            "features": {"op": ["convolution", "skip"], "k": [3, 5]},
            "shared": ["k"],
        },
        {"name": "wide", "depth": [2], "features": features},
        {"name": "none", "depth": [3], "features": {}},
    ]
    return space_from_dict({"name": "deep", "stages": stages})


def test_a_shared_feature_is_written_once_and_others_in_each_layer(deep):
    module = tuple((("convolution", "skip")[n % 2], 5) for n in range(10))
    written = texts(parsed(draw_modules(deep, "long", [Chain(module)])))
    assert written.count("5") == 1
    assert (written.count("A"), written.count("B")) == (5, 5)


def test_a_chain_too_long_for_the_width_is_wrapped(deep):
    chain = Chain(tuple(("skip", 5) for _ in range(10)), "1.0")
    wide, narrow = (parsed(draw_modules(deep, 0, [chain], width=w)) for w in (900, 200))
    assert len(cells(wide)) == len(cells(narrow)) == 20
    assert float(narrow.get("height")) > float(wide.get("height"))
    assert max(float(c.get("x")) + float(c.get("width")) for c in cells(narrow)) <= 200


def test_equal_choices_have_equal_colours_everywhere(deep):
    palette = Palette(deep)
    architecture = Architecture((tuple(("skip", 3) for _ in range(10)), ((1,) * 8, (3,) * 8), ((),) * 3))
    skip = palette.swatch("op", "skip").fill
    for picture in (
        draw_modules(deep, 0, [Chain(architecture.modules[0])], palette=palette),
        draw_architecture(deep, architecture, palette=palette),
        draw_legend(deep, palette=palette),
    ):
        assert skip in {c.get("fill") for c in cells(parsed(picture))}


def test_a_legend_explains_letters_and_may_have_one_feature(deep):
    written = texts(parsed(draw_legend(deep, features=["op"])))
    assert written == ["A", "B", "op", "convolution", "skip"]


def test_only_a_standalone_picture_has_a_namespace(deep):
    chain = [Chain(((1,) * 8, (2,) * 8), "0.5 ± 0.1", "few labels: f1 2")]
    assert "xmlns" not in draw_modules(deep, 1, chain, alone=False)
    picture = parsed(draw_modules(deep, 1, chain))
    assert {"0.5 ± 0.1", "few labels: f1 2"} <= set(texts(picture))
    assert "0.5 ± 0.1" in picture.get("aria-label")


def test_panels_arrange_pictures_in_a_grid(deep):
    one = draw_modules(deep, 1, [Chain(((1,) * 8, (2,) * 8))])
    panels = parsed(draw_panels([[one, one], [one]], columns=["acc & <b>", "lat"], gap=10, label="Fig."))
    inner = panels.findall(f"{_SVG}svg")
    assert [(p.get("x"), p.get("y")) for p in inner][:2] == [("0", "28"), ("350", "28")]
    assert float(panels.get("width")) == 690
    assert "acc & <b>" in texts(panels)
