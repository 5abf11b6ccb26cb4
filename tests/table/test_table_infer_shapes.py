"""The same networks in the shapes in which people have them: each gives the same space, and the same table."""

from __future__ import annotations

import numpy as np
import pytest

from nasbuild.space import load_space, save_space, to_dict
from nasbuild.table import guess_space, read_table
from own_tables import SHAPES, SLOW, known_table, plain_rows

KNOWN = known_table()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_table_of_any_shape_is_read_as_it_is(shape, tmp_path):
    table = KNOWN.select(range(3)) if shape in SLOW else KNOWN
    source = SHAPES[shape](tmp_path, plain_rows(table))
    guess = guess_space(source)
    save_space(guess.space, tmp_path / "space.yaml")
    space = load_space(tmp_path / "space.yaml")
    assert space.columns == guess.space.columns
    found = read_table(source, space)
    depths = [{len(architecture.modules[u]) for architecture in table.architectures} for u in range(5)]
    assert [set(stage.depths) for stage in space.layered] == depths
    assert space.globals is None
    # The architectures and labels that the file was made of.
    assert [to_dict(space, a) for a in found.architectures] == [
        to_dict(table.space, a) for a in table.architectures
    ]
    directions = {metric.direction: name for name, metric in found.metrics.items()}
    np.testing.assert_array_equal(found.columns[directions["maximize"]], table.columns["acc"])
    np.testing.assert_array_equal(found.columns[directions["minimize"]], table.columns["latency_cpu"])
    assert list(found.columns) == list(found.metrics)
    assert guess.questions == ()
    assert not [note for note in found.notes if note.kind not in ("commas",)]
