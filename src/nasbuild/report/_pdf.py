"""Prints the page to PDF with a browser of the Chromium family."""

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
    # The page loads nothing from outside; make sure of it.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def find_browser(path: str | os.PathLike[str]) -> str:
    """Returns the path of an installed browser.

    Raises
    ------
    OutputError
        If there is none; names ``path``, the file to print.

    Examples
    --------
    >>> from nasbuild.report import find_browser
    >>> import os
    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, PATH=""):
    ...     find_browser("report.pdf")
    Traceback (most recent call last):
        ...
    nasbuild.errors.OutputError: report.pdf: PDF needs Chromium, which is not installed; install chromium, or write .html and print it in a browser
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise OutputError(
            "PDF needs Chromium, which is not installed",
            where=str(path),
            todo="install chromium, or write .html and print it in a browser",
        )
    return found


def write_pdf(html: str, path: str | os.PathLike[str]) -> None:
    """Prints a self-contained page to a PDF file atomically.

    Raises
    ------
    OutputError
        If there is no browser, printing fails, or the file can't be written.
    """
    browser = find_browser(path)
    with tempfile.TemporaryDirectory(prefix="nasbuild-pdf-") as folder, writing(path) as temporary:
        page, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        message = _run(
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
                f"{browser} printed nothing ({message})",
                where=str(path),
                todo="write .html and print it in a browser",
            )
        temporary.write_bytes(data)


def _as_root() -> tuple[str, ...]:
    # Chromium's sandbox does not start for root, the usual user in containers.
    return ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()


def _run(command: list[str]) -> str:
    """Runs a browser and its child processes to the end; returns the last line of its error output."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, output = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return f"timed out after {_SECONDS} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else f"exit {process.returncode}"
