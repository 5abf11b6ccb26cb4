"""Fixtures of the tests of evaluators and stores."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
import torch
from servers import PostgreSQL

from nasbuild.evaluate import Store
from nasbuild.space import load_space


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A private PostgreSQL server; None if PostgreSQL is not installed."""
    found = PostgreSQL.start_in(tmp_path_factory.mktemp("postgresql"))
    yield found
    if found is not None:
        found.stop()


@pytest.fixture
def postgresql(server):
    """The URL of an empty PostgreSQL database."""
    if server is None:
        pytest.skip("PostgreSQL or psycopg is not installed")
    yield server.url
    engine = sa.create_engine(server.url)
    with engine.begin() as connection:
        connection.execute(sa.text("drop table if exists evaluations, nasbuild"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return str(tmp_path / "store.db") if request.param == "sqlite" else request.getfixturevalue("postgresql")


@pytest.fixture
def opened():
    """Opens stores of digits-macro and closes them at the end."""
    space, stores = load_space("digits-macro"), []

    def open_(url, *arguments, **options):
        stores.append(Store(url, space, *(arguments or ("mine",)), **options))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()
