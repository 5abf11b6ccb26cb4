"""The docs name what is there: rooms in their order, files, and places in other pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import nasbuild
from test_rooms import ORDER

REPOSITORY = Path(__file__).parent.parent
SOURCE = REPOSITORY / "src" / "nasbuild"
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text()
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_contributing_has_the_chain_of_rooms():
    chain = next(line for line in CONTRIBUTING.splitlines() if line.startswith("    space -> "))
    assert chain.split() == " -> ".join(ORDER).split()


def test_contributing_names_files_that_are_there():
    table = CONTRIBUTING.partition("## Where to change what")[2]
    named = re.findall(r"`((?:\w+/)+_\w+\.py|_file_formats\.py)`", table)
    assert len(named) > 20
    assert [name for name in named if not (SOURCE / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path):
    for target in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}"


def test_the_site_has_every_page():
    site = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())
    found = set(re.findall(r"[\w-]+\.md", str(site["nav"])))
    made = {"index.md", "changelog.md", "contributing.md", "cli.md"}  # .ci/site.py
    assert found == {page.name for page in (REPOSITORY / "docs").glob("*.md")} | made


def test_the_reference_has_the_public_api():
    listed = re.findall(
        r"^::: nasbuild\.(\w+)$", (REPOSITORY / "docs" / "reference.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == sorted(name for name in dir(nasbuild) if not name.startswith("_"))
