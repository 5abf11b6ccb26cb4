"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow processor, or a busy one, must not fail a test.
settings.register_profile("any processor", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any processor")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Callable[[str], Path]:
    """Folder of a real labelled table, from ``NASBUILD_DATA`` or ``../shared/data``; skips where absent."""

    def folder(name: str) -> Path:
        base = Path(os.environ.get("NASBUILD_DATA", REPOSITORY.parent / "shared" / "data"))
        if not (base / name / "space.yaml").exists():
            pytest.skip(f"the table {name} is not at hand: set NASBUILD_DATA to the folder that holds it")
        return base / name

    return folder
