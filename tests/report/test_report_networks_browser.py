"""The network view in a real browser: hops, search, clicks, keys, and facts of a node."""

from __future__ import annotations

import pytest
from page_checks import texts_outside

from nasbuild.ir import describe_node
from nasbuild.report import write_report
from nasbuild.score.graphs import before, node_scores


@pytest.fixture(scope="module")
def place(graph_fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "report.html"
    write_report(graph_fit, path)
    return path


@pytest.fixture
def opened(visit, place):
    return lambda width=1280, **more: visit(place, width, **more)


class View:
    """The first view of networks on a page."""

    def __init__(self, page, fitted) -> None:
        self.page, self.fit = page, fitted
        self.root = page.locator("[data-network]").first
        self.root.scroll_into_view_if_needed()

    def part(self, name: str):
        return self.root.locator(f'[data-part="{name}"]')

    def state(self) -> dict:
        return self.root.evaluate("(e) => e.view.state()")

    @property
    def graph(self):
        name = self.part("head").locator("strong").text_content()
        return next(g for g in self.fit.table.graphs if g.name == name)

    def hop(self, number: int) -> None:
        self.part("hop").locator("label").nth(number).click()

    def click(self, node: int) -> None:
        x, y = self.root.evaluate("(e, i) => e.view.place(i)", node)
        self.part("canvas").click(position={"x": x, "y": y})

    def picture(self) -> str:
        # A frame is drawn when the browser asks for it.
        return self.part("canvas").evaluate(
            "(c) => new Promise((d) => requestAnimationFrame(() => requestAnimationFrame(() => d(c.toDataURL()))))"
        )


@pytest.fixture
def view(opened, graph_fit):
    return View(opened(), graph_fit)


def test_a_hop_colours_the_picture(view):
    last = view.state()["hop"]
    assert last == 2
    pictures = {last: view.picture()}
    for hop in (0, 1):
        view.hop(hop)
        assert view.state()["hop"] == hop
        pictures[hop] = view.picture()
    assert len(set(pictures.values())) == 3
    view.hop(last)
    assert view.picture() == pictures[last]


def test_a_click_shows_the_facts_of_a_node(view, graph_fit):
    target_fit, graph = graph_fit.targets[0], view.graph
    row = [g.name for g in graph_fit.table.graphs].index(graph.name)
    for node, hop in ((0, 2), (len(graph) - 1, 1), (graph.ops.index("Conv", 1), 2)):
        view.hop(hop)
        view.click(node)
        assert view.state()["selected"] == node
        facts = view.part("node")
        assert facts.locator("h4").text_content() == describe_node(graph, node)
        assert facts.locator("code").text_content() == graph.labels[node]
        assert "1 × 16 × 8 × 8" in facts.text_content()
        for m, line in enumerate(facts.locator("tbody tr").all()):
            scores = node_scores(target_fit.ensemble, graph_fit.graphs, m)
            at = graph_fit.graphs.offsets[row] + node
            number = line.locator("td").text_content().replace("−", "-").replace("+", "")
            value, std = map(float, number.split(" ± "))
            assert value == pytest.approx(scores.value[at], abs=0.0101)
            assert std == pytest.approx(scores.std[at], abs=0.0101)
        assert m == 2
        seen = before(graph, node, hop)
        assert sorted(view.state()["seen"]) == list(seen)
        words = facts.locator(".network-piece span").text_content()
        assert words == ", ".join(describe_node(graph, n) for n in seen)
    view.part("canvas").press("Escape")
    assert view.state()["selected"] == -1


def test_a_search_finds_and_steps_through(view):
    graph = view.graph
    swish = [n for n, op in enumerate(graph.ops) if op == "HardSwish"]
    view.part("search").fill("hardswish")
    assert view.state()["matches"] == swish
    assert view.part("found").text_content() == f"{len(swish)} found"
    for step in range(2):
        view.part("search").press("Enter")
        assert view.state()["selected"] == swish[step % len(swish)]
        assert view.part("found").text_content() == f"{step % len(swish) + 1} of {len(swish)}"
    view.part("before").click()
    assert view.state()["selected"] == swish[0]
    view.part("search").fill("n3<script")
    assert view.state()["matches"] == [3]
    view.part("search").fill("nothing like it")
    assert view.part("found").text_content() == "none"


def test_keys_follow_edges_and_zoom(view):
    graph, canvas = view.graph, view.part("canvas")
    canvas.focus()
    canvas.press("ArrowDown")
    assert view.state()["selected"] == 0
    canvas.press("ArrowDown")
    below = view.state()["selected"]
    assert (0, below) in set(map(tuple, graph.edges.T.tolist()))
    canvas.press("ArrowUp")
    assert view.state()["selected"] == 0
    canvas.press("ArrowRight")
    assert view.state()["selected"] == 1
    scale = view.state()["scale"]
    canvas.press("+")
    assert view.state()["scale"] == pytest.approx(1.25 * scale)
    canvas.press("0")
    assert view.state()["scale"] <= scale


def test_the_picture_is_moved_and_zoomed(view):
    canvas = view.part("canvas")
    box = canvas.bounding_box()
    mouse = view.page.mouse
    start = view.root.evaluate("(e) => e.view.place(0)")
    corner = (box["x"] + 8, box["y"] + box["height"] - 8)
    mouse.move(*corner)
    mouse.down()
    mouse.move(corner[0] + 50, corner[1] - 30, steps=4)
    mouse.up()
    moved = view.root.evaluate("(e) => e.view.place(0)")
    assert moved == pytest.approx([start[0] + 50, start[1] - 30])
    assert view.state()["selected"] == -1
    # Before the picture is chosen, the wheel scrolls the page and leaves it alone.
    view.page.evaluate("document.activeElement.blur()")
    scale = view.state()["scale"]
    mouse.wheel(0, 40)
    view.page.wait_for_timeout(50)
    assert view.state()["scale"] == scale
    canvas.focus()
    canvas.hover(position={"x": 40, "y": 40})
    mouse.wheel(0, -200)
    view.page.wait_for_function(
        "(s) => document.querySelector('[data-network]').view.state().scale > s", arg=scale
    )
    view.part("fit").click()
    assert view.root.evaluate("(e) => e.view.place(0)") == pytest.approx(start)


def test_another_network_is_shown(view, graph_fit):
    names = set()
    for n in range(view.part("network").locator("option").count()):
        view.part("network").select_option(index=n)
        names.add(view.graph.name)
        assert view.state()["nodes"] == len(view.graph)
    assert len(names) == 6
    by_name = dict(zip(graph_fit.table.ids, graph_fit.table.columns["acc"], strict=True))
    first = view.part("network").locator("option").first.text_content()
    assert "best by label" in first
    assert first.startswith(max(by_name, key=by_name.get))


def test_a_piece_is_shown_where_it_stands(view):
    row = view.page.locator("#target-1-pieces tbody tr").first
    piece = row.locator("th").text_content()
    row.locator("button").click()
    assert view.state()["hop"] == 2
    found = view.state()["matches"]
    assert found
    for node in found:
        assert ", ".join(describe_node(view.graph, n) for n in before(view.graph, node, 2)) == piece
    assert view.state()["selected"] == found[0]


@pytest.mark.parametrize("width", [1280, 760, 400])
def test_nothing_overflows(opened, graph_fit, width):
    page = opened(width)
    view = View(page, graph_fit)
    view.click(1)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        """() => [...document.querySelectorAll('main svg, main p, main td, main button, main select, main canvas')]
        .filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1)
        .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    assert texts_outside(page) == []


def test_dark_colour_scheme_on_screen_and_light_in_print(opened, graph_fit):
    page = opened(color_scheme="dark")
    view = View(page, graph_fit)
    dark = view.picture()
    page.emulate_media(color_scheme="light")
    light = view.picture()
    assert dark != light
    page.emulate_media(color_scheme="dark")
    assert view.picture() == dark
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert view.part("canvas").evaluate("(c) => c.toDataURL()") != dark
    assert page.pdf(format="A4")[:5] == b"%PDF-"
