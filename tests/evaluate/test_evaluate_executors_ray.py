"""Evaluations on a Ray cluster: two workers of this machine."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from evaluate_samples import NAME, gone, size

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Ray, Spec, Store, evaluate_all
from nasbuild.space import load_space, sample, to_dict

SPACE = load_space("digits-macro")
ARCHITECTURES = sample(SPACE, 60, np.random.default_rng(1))
EXPECTED = [size(to_dict(SPACE, a)) for a in ARCHITECTURES]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster shared by all tests; its workers have the environment of its start."""
    ray = pytest.importorskip("ray", reason="extra 'ray'")
    folder = tmp_path_factory.mktemp("ray")
    os.environ |= {"NOTES": str(folder / "notes"), "MARK": str(folder / "mark")}
    assert Ray(workers=2)._connect(ray)
    yield folder
    ray.shutdown()
    del os.environ["NOTES"], os.environ["MARK"]


def evaluate(path, name, architectures=ARCHITECTURES, *, limit=None, **options):
    store = Store(path, SPACE, name)
    executor = Ray(workers=2, **options)
    results = evaluate_all(Spec(NAME + name, SPACE, limit=limit), architectures, store, executor=executor)
    assert store.counts()["running"] == 0
    store.close()
    return [results[a] for a in architectures]


def test_results_are_the_same_and_none_is_repeated(cluster, tmp_path):
    results = evaluate(tmp_path / "s.db", "logged")
    assert [r.metrics for r in results] == EXPECTED
    assert all((r.seconds or 0) > 0.004 for r in results)
    assert evaluate(tmp_path / "s.db", "logged") == results
    assert len((cluster / "notes").read_text().splitlines()) == 60


@pytest.mark.usefixtures("cluster")
def test_failures_have_their_reason(tmp_path):
    for architecture, expected, result in zip(
        ARCHITECTURES, EXPECTED, evaluate(tmp_path / "s.db", "picky"), strict=True
    ):
        if len(architecture.modules[0]) == 2:
            assert result.reason == "ValueError: two layers are too many"
        else:
            assert result.metrics == expected


def test_evaluations_of_a_lost_worker_are_retried(cluster, tmp_path):
    results = evaluate(tmp_path / "s.db", "fragile")
    assert (cluster / "mark").exists()
    assert [r.metrics for r in results] == EXPECTED


@pytest.mark.usefixtures("cluster")
def test_only_the_evaluation_that_kills_its_workers_fails(tmp_path):
    kills = [a.modules[0] == (("mb_e6_k5",),) for a in ARCHITECTURES]
    where = kills.index(True)
    few = [a for a, k in zip(ARCHITECTURES, kills, strict=True) if not k][:15]
    few.insert(9, ARCHITECTURES[where])
    results = evaluate(tmp_path / "s.db", "deadly", few, retries=1)
    assert (results[9].metrics, results[9].reason) == (None, "the process that evaluated it died")
    for architecture, result in zip(few[:9] + few[10:], results[:9] + results[10:], strict=True):
        assert result.metrics == size(to_dict(SPACE, architecture))


def test_a_time_limit_ends_a_function_and_its_child_processes(cluster, tmp_path):
    hangs = next(a for a in ARCHITECTURES if a.modules[0] == (("mb_e6_k5",),))
    few = [hangs, *(a for a in ARCHITECTURES if len(a.modules[0]) == 2)][:5]
    first, *others = evaluate(tmp_path / "s.db", "hanging", few, limit=1.0)
    assert first.reason == "took longer than 1 s"
    assert [r.metrics for r in others] == [size(to_dict(SPACE, a)) for a in few[1:]]
    assert gone((cluster / "notes").read_text().split())


@pytest.mark.usefixtures("cluster")
def test_an_exception_is_one_failure(tmp_path):
    few = list({(a.modules[0][0][0], len(a.modules[0])): a for a in ARCHITECTURES}.values())
    exits = [a for a in few if a.modules[0] == (("mb_e1_k3",),)]
    (result,) = evaluate(tmp_path / "s.db", "faulty", exits)
    assert result.reason == "SystemExit (the evaluator called sys.exit): 2"


@pytest.mark.usefixtures("cluster")
def test_missing_resources_are_an_error():
    with pytest.raises(NasbuildError, match="needs 64 GPU, and the cluster has"):
        next(Ray(gpus=64.0).run(Spec(NAME + "size", SPACE), lambda _: ARCHITECTURES[:1]))


def test_evaluations_share_gpus():
    ray = SimpleNamespace(cluster_resources=lambda: {"CPU": 32.0, "GPU": 2.0})
    assert Ray(gpus=0.25)._slots(ray) == 8
    assert Ray(cpus=4.0)._slots(ray) == 8
    assert Ray(cpus=8.0, gpus=0.25)._slots(ray) == 4


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        NasbuildError, match=r"needs ray, which is not installed; pip install 'nasbuild\[ray\]'"
    ):
        next(Ray().run(Spec(NAME + "size", SPACE), lambda _: []))
