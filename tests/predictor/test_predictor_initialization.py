"""Initial weights equal those of torch, and leave torch's random state alone."""

from __future__ import annotations

import threading
from typing import get_args

import numpy as np
import pytest
import torch

from nasbuild.predictor import recipe
from nasbuild.predictor.gnn._convolution import Convolution
from nasbuild.predictor.gnn._fit_member import Task, fit_member
from nasbuild.predictor.gnn._initialization import initialized_network
from nasbuild.predictor.gnn._network import Network, Shape
from nasbuild.space import encode, graph_schema, load_space, sample

SPACE = load_space("digits-macro")


@pytest.mark.parametrize("kind", get_args(Convolution))
def test_weights_are_those_of_the_seed(kind):
    schema, shape = graph_schema(SPACE), Shape(kind, 3, 8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        expected = Network(schema, shape).state_dict()
    before = torch.get_rng_state()
    found = initialized_network(schema, shape, 7).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def test_fits_in_threads_are_those_of_one_after_the_other():
    some = sample(SPACE, 40, np.random.default_rng(0))
    labels = np.random.default_rng(1).normal(size=40)
    quick = recipe("paper", epochs=3, width=8)
    graphs, shape = encode(SPACE, some), quick.shape(SPACE.max_depth)
    tasks = [
        Task(graph_schema(SPACE), shape, quick, graphs, labels, np.arange(30), np.arange(30, 40), seed)
        for seed in range(4)
    ]
    alone = [fit_member(task).weights for task in tasks]
    found = {}
    threads = [
        threading.Thread(target=lambda k=k: found.update({k: fit_member(tasks[k]).weights})) for k in range(4)
    ]
    number = torch.get_num_threads()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.get_num_threads() == number
    for k, expected in enumerate(alone):
        for name, value in expected.items():
            assert np.array_equal(found[k][name], value), (k, name)
