"""The docs name what is there: rooms in their order, and files."""

from __future__ import annotations

import re
from pathlib import Path

from test_rooms import ORDER

REPOSITORY = Path(__file__).parent.parent
SOURCE = REPOSITORY / "src" / "nasbuild"
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text()


def test_contributing_has_the_chain_of_rooms():
    chain = next(line for line in CONTRIBUTING.splitlines() if line.startswith("    space -> "))
    assert chain.split() == " -> ".join(ORDER).split()


def test_contributing_names_files_that_are_there():
    table = CONTRIBUTING.partition("## Where to change what")[2]
    named = re.findall(r"`((?:\w+/)+_\w+\.py|_forms\.py)`", table)
    assert len(named) > 20
    assert [name for name in named if not (SOURCE / name).is_file()] == []
