"""Multiply-accumulates of contractions, against counting them one by one and against torch."""

from __future__ import annotations

import itertools

import pytest

from nasbuild._macs.einsum import einsum_macs


def by_counting(equation, shapes):
    """Every multiply-accumulate of a contraction of two operands, one by one; diagonals are taken before."""
    before, _, after = equation.partition("->")
    terms = before.split(",")
    sizes = {
        label: size
        for term, shape in zip(terms, shapes, strict=True)
        for label, size in zip(term, shape, strict=True)
    }
    alone = [set(a) - set(b) - set(after) for a, b in (terms, terms[::-1])]
    labels = [label for label in sizes if label not in alone[0] | alone[1]]
    count = sum(1 for _ in itertools.product(*(range(sizes[label]) for label in labels)))
    return count if set(labels) - set(after) else 0


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bnd,dk->bnk", [(2, 4, 3), (3, 5)]),
        ("bhid,bhjd->bhij", [(1, 2, 4, 3), (1, 2, 5, 3)]),
        ("ij,ij->", [(3, 4), (3, 4)]),
        ("ij,j->i", [(3, 4), (4,)]),
        ("ijk,jl->il", [(2, 3, 5), (3, 4)]),
        ("bii,ij->bj", [(2, 3, 3), (3, 4)]),
        ("i,j->ij", [(3,), (4,)]),
        ("ij,ij->ij", [(3, 4), (3, 4)]),
        ("ii,i->", [(3, 3), (3,)]),
    ],
)
def test_contractions_count_what_is_multiplied_and_summed(equation, shapes):
    assert einsum_macs(equation, shapes) == by_counting(equation, shapes)


def test_contractions_count_as_in_torch():
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    cases = [
        ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
        ("ab,cb,db,eb->acde", [(2, 3), (4, 3), (5, 3), (2, 3)]),
        ("...ij,...jk->...ik", [(2, 3, 4, 5), (3, 5, 6)]),
        ("...ij,...kj", [(3, 4, 5), (2, 1, 6, 5)]),
        ("bi...,io->bo...", [(2, 3, 4, 5), (3, 6)]),
        ("ab,ab,c->c", [(2, 3), (2, 3), (4,)]),
        ("aab,b->a", [(3, 3, 2), (2,)]),
    ]
    enabled = torch.backends.opt_einsum.enabled
    torch.backends.opt_einsum.enabled = False
    try:
        for equation, shapes in cases:
            with FlopCounterMode(display=False) as counter:
                torch.einsum(equation, *(torch.ones(shape) for shape in shapes))
            assert einsum_macs(equation, shapes) == counter.get_total_flops() / 2, equation
    finally:
        torch.backends.opt_einsum.enabled = enabled


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [("ab,bc->ac", [(2, 3)]), ("ab,bc->ac", [(2, 3), (0, 4)]), ("a?->a", [(2,)]), ("ab->a", [(2,)])],
)
def test_contractions_that_fit_no_shapes_are_unknown(equation, shapes):
    assert einsum_macs(equation, shapes) is None
