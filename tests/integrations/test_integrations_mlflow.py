"""MLflow: a fit logged to a file store, with the real library."""

from __future__ import annotations

import pytest

import nasbuild as nb

mlflow = pytest.importorskip("mlflow")


@pytest.mark.filterwarnings("ignore")
def test_a_fit_is_a_run_with_its_report(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    fit = nb.fit(
        nb.load_builtin("digits-macro").select(range(0, 1728, 29)), ["loss", "-params"], recipe="ridge"
    )
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    run_id = nb.integrations.mlflow.log_fit(fit, built=fit.build(3))
    run = mlflow.tracking.MlflowClient().get_run(run_id)
    assert mlflow.active_run() is None
    assert run.info.status == "FINISHED"
    assert run.data.params["recipe"] == "ridge"
    assert run.data.params["targets"] == '["loss", "-params"]'
    assert run.data.metrics["rows"] == len(fit.table)
    assert run.data.metrics["loss.srcc"] == pytest.approx(fit["loss"].trust.prediction.mean)
    assert run.data.metrics["-params.srcc"] == pytest.approx(fit["-params"].trust.prediction.mean)
    place = mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(tmp_path))
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert nb.load_fit(f"{place}/fit").table == fit.table
    with mlflow.start_run() as active:
        assert nb.integrations.mlflow.log_fit(fit, report=False) == active.info.run_id
        assert mlflow.active_run() is not None
