"""The questions of ``init`` on a real pseudo-terminal: answers, wrong answers, and interrupts."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys

import pytest

from nasbuild.space import load_space

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")

# The terminal becomes that of the process, so that Ctrl-C interrupts it.
RUN = (
    "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "sys.argv = ['nasbuild', 'init', 'unclear.csv']; from nasbuild.cli import main; main()"
)
TABLE = "\n".join(
    ["op_1,op_2,foo", *(f"{'ab'[n % 2]},{'ab'[n // 2 % 2]},{n * 0.37 + 0.1:.3f}" for n in range(16))]
)


class Terminal:
    """``nasbuild init`` in a folder of its own, on a terminal of 80 columns."""

    def __init__(self, folder):
        folder.mkdir()
        (folder / "unclear.csv").write_text(TABLE)
        self.folder, self.seen, self.answered = folder, "", 0
        self.end, inside = pty.openpty()
        settings = {**os.environ, "TERM": "dumb", "COLUMNS": "80"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=folder,
            env=settings,
            start_new_session=True,
        )
        os.close(inside)

    def reply(self, *texts):
        """Waits for a prompt before each text, then for the end; returns the exit status."""
        for text in texts:
            self.read_until("]: ")
            os.write(self.end, text.encode())
        # What comes between a prompt and the reading of it is lost, if it is no line.
        for _ in range(30):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
                break
            if not texts[-1].endswith("\n"):
                os.write(self.end, texts[-1].encode())
        self.read_until(None)
        return self.process.wait(60)

    def read_until(self, mark):
        while mark is None or mark not in self.seen[self.answered :]:
            assert select.select([self.end], [], [], 60)[0], self.seen
            try:
                read = os.read(self.end, 4096).decode()
            except OSError:
                # Linux closes the terminal with its last process.
                read = ""
            if not read:
                assert mark is None, self.seen
                return
            self.seen += read
        self.answered = len(self.seen)


@pytest.fixture(scope="module")
def terminals(tmp_path_factory):
    """Three calls at once, as each takes a second to start."""
    folder = tmp_path_factory.mktemp("terminal")
    opened = {name: Terminal(folder / name) for name in ("answered", "ended", "interrupted")}
    yield opened
    for one in opened.values():
        one.process.kill()
        one.process.wait()
        os.close(one.end)


def test_answers_by_enter_by_number_and_by_word(terminals):
    one = terminals["answered"]
    # What is foo: the default. Layers or stages: wrong, wrong, by number. What is better: by its word.
    assert one.reply("\n", "9\n", "what?\n", "2\n", "minimize\n") == 0, one.seen
    assert "'9' is none of them" in one.seen
    assert "'what?' is none of them" in one.seen
    space = load_space(one.folder / "space.yaml")
    assert space.metrics["foo"].direction == "minimize"
    assert [stage.depths for stage in space.stages] == [(2,)]
    assert max(map(len, one.seen.replace("\r", "").splitlines())) <= 80


@pytest.mark.parametrize(("name", "key"), [("ended", "\x04"), ("interrupted", "\x03")])
def test_ctrl_d_and_ctrl_c_write_nothing(terminals, name, key):
    one = terminals[name]
    assert one.reply("1\n", key) == 130, one.seen
    assert "stopped: nothing was written" in one.seen
    assert "Traceback" not in one.seen
    assert sorted(path.name for path in one.folder.iterdir()) == ["unclear.csv"]
