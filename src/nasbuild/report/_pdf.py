"""The page as PDF, printed by a browser of the Chromium family where there is one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from nasbuild._atomic_write import writing
from nasbuild.errors import OutputError

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
_SECONDS = 120
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pdf-header-footer",
    # The page needs nothing from outside, and gets nothing.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def find_browser(path: str | os.PathLike[str]) -> str:
    """A browser that prints.

    Raises
    ------
    OutputError
        If there is none on this machine; ``path`` is what was to be printed.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise OutputError(
            "PDF is printed by Chromium, and there is none on this machine",
            where=str(path),
            todo="install chromium, or write .html and print it in a browser",
        )
    return found


def write_pdf(html: str, path: str | os.PathLike[str]) -> None:
    """Print a page that needs nothing else to a PDF file, whole or not at all.

    Raises
    ------
    OutputError
        If there is no browser, it fails, or the place can't be written.
    """
    browser = find_browser(path)
    with tempfile.TemporaryDirectory(prefix="nasbuild-pdf-") as folder, writing(path) as temporary:
        page, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        said = _run(
            [
                browser,
                *_FLAGS,
                *_as_root(),
                f"--user-data-dir={folder}/profile",
                f"--print-to-pdf={printed}",
                page.as_uri(),
            ]
        )
        data = printed.read_bytes() if printed.is_file() else b""
        if not data.startswith(b"%PDF"):
            raise OutputError(
                f"{browser} printed nothing ({said})",
                where=str(path),
                todo="write .html and print it in a browser",
            )
        temporary.write_bytes(data)


def _as_root() -> tuple[str, ...]:
    # Chromium's sandbox refuses to work for root, as in most containers.
    return ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()


def _run(command: list[str]) -> str:
    """Run a browser to its end, its helpers with it; its last line."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no end after {_SECONDS} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else f"exit {process.returncode}"
