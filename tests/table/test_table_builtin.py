"""The built-in tables."""

from __future__ import annotations

import pytest

from nasbuild.errors import TableError
from nasbuild.space import architecture_id, enumerate_architectures
from nasbuild.table import builtin_tables, load_builtin


def test_digits_macro_holds_its_whole_space_under_the_spaces_own_ids():
    table = load_builtin("digits-macro")
    assert set(table.architectures) == set(enumerate_architectures(table.space))
    assert list(table.ids) == [architecture_id(table.space, a) for a in table.architectures]
    assert set(table.metrics) == {"acc", "loss", "macs", "params", "latency_cpu"}


def test_an_unknown_table_lists_the_known_ones():
    assert builtin_tables() == ["digits-macro", "fashion-ofa", "sd-unet-mini"]
    with pytest.raises(TableError, match="digits-macro"):
        load_builtin("digits")
