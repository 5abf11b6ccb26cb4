"""What the tests of evaluators share."""

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
    """A server of PostgreSQL of its own; None where there is none."""
    found = PostgreSQL.here(tmp_path_factory.mktemp("postgresql"))
    yield found
    if found is not None:
        found.stop()


@pytest.fixture
def postgresql(server):
    """The address of its database, empty."""
    if server is None:
        pytest.skip("there is no PostgreSQL server or no psycopg here")
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
