"""A real PostgreSQL server for tests, which can be stopped and started."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import sqlalchemy as sa

_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}


def _free_port() -> int:
    """A port below the ephemeral ones: a client could take an ephemeral port while the server is stopped."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class PostgreSQL:
    """A private server on a free port."""

    def __init__(self, programs: Path, folder: Path) -> None:
        port = _free_port()
        # The server refuses to run as root.
        self._prefix = ["setpriv", "--reuid", "nobody", "--clear-groups"] if os.getuid() == 0 else []
        self._call = [programs / "postgres", "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1"]
        self._call += ["-k", folder, "-F"]
        self.url = f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
        make = [programs / "initdb", "-D", folder / "data", "-U", "tester", "-A", "trust", "-N"]
        subprocess.run([*self._prefix, *make], check=True, **_QUIET)
        self.start()

    @classmethod
    def start_in(cls, folder: Path) -> PostgreSQL | None:
        """Start a server in a folder; None if PostgreSQL is not installed."""
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not programs or not importlib.util.find_spec("psycopg"):
            return None
        if os.getuid() == 0:
            if not shutil.which("setpriv"):
                return None
            shutil.chown(folder, "nobody")
            for parent in folder.parents:
                if parent != Path(parent.root) and parent.stat().st_uid == os.getuid():
                    parent.chmod(parent.stat().st_mode | 0o011)
        return cls(programs[-1], folder)

    def start(self) -> None:
        self._process = subprocess.Popen([*self._prefix, *self._call], **_QUIET)
        engine, deadline = sa.create_engine(self.url), time.monotonic() + 90
        while True:
            with contextlib.suppress(sa.exc.OperationalError):
                engine.connect().close()
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        engine.dispose()

    def stop(self) -> None:
        # SIGINT stops the server at once, even with open connections.
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=90)
