"""Files are written completely or not at all, and errors are one clear sentence."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nasbuild._atomic_write import ensure_free, write_text, writing, writing_folder
from nasbuild.errors import OutputError


class Stop(Exception):
    """What goes wrong in a block that writes."""


def tree(folder: Path) -> dict[str, str]:
    """All files below a folder with their text; a leftover would show."""
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def fail_halfway(target: Path, error: type[BaseException]) -> None:
    with writing(target) as temporary:
        temporary.write_text("half")
        raise error


def fail_halfway_in_folder(target: Path, error: type[BaseException], *, overwrite: bool = False) -> None:
    with writing_folder(target, overwrite=overwrite) as temporary:
        (temporary / "fit.json").write_text("half")
        raise error


def everything(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


# One file.


def test_a_file_appears_whole_and_only_at_the_end(tmp_path):
    target = tmp_path / "out.txt"
    with writing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        # On the same file system, or it could not be renamed.
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".partial"
    assert tree(tmp_path) == {"out.txt": "new"}


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt, ValueError])
def test_the_old_file_stays_when_the_block_fails(tmp_path, error):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(error):
        fail_halfway(target, error)
    assert tree(tmp_path) == {"out.txt": "old"}
    with pytest.raises(error):
        fail_halfway(tmp_path / "never.txt", error)
    assert everything(tmp_path) == ["out.txt"]


def test_a_disk_that_is_full_is_an_output_error(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(OutputError) as caught, writing(target):
        raise OSError(28, "No space left on device")
    assert str(caught.value) == f"{target}: can't be written (No space left on device)"
    assert tree(tmp_path) == {"out.txt": "old"}


def test_a_file_is_replaced(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("a long old text")
    with writing(str(target)) as temporary:
        temporary.write_text("new")
    assert tree(tmp_path) == {"out.txt": "new"}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("absent/out.txt", "No such file or directory"),
        ("file/out.txt", "Not a directory"),
        ("folder", "Is a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_with_the_reason(tmp_path, place, reason):
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    before = everything(tmp_path)
    with pytest.raises(OutputError) as caught, writing(tmp_path / place) as temporary:
        temporary.write_text("new")
    assert str(caught.value) == f"{tmp_path / place}: can't be written ({reason})"
    assert everything(tmp_path) == before


def test_a_name_as_long_as_can_be_leaves_room_for_the_temporary_one(tmp_path):
    for name in ("x" * 255, "é" * 127):
        write_text(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"


def test_a_new_file_has_the_usual_permissions(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "new")
        with writing_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "out.txt")
    for text in ("first", "second"):
        write_text(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert tree(tmp_path / "elsewhere") == {"out.txt": text}


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text(pipe, "through")
    reader.join(timeout=10)
    assert read == ["through"]
    assert pipe.is_fifo()


def test_standard_output_can_be_written_to():
    code = "from nasbuild._atomic_write import write_text; write_text('/dev/stdout', 'printed')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "printed"


def test_text_is_written_as_utf8_and_gzipped_by_its_name(tmp_path):
    text = "é 層 🙂\r\n" * 100
    write_text(tmp_path / "a.txt", text)
    write_text(tmp_path / "a.gz", text)
    assert (tmp_path / "a.txt").read_bytes() == text.encode()
    first = (tmp_path / "a.gz").read_bytes()
    assert gzip.decompress(first) == text.encode()
    # The same bytes whenever it is written: no time stamp inside.
    write_text(tmp_path / "b.gz", text)
    assert (tmp_path / "b.gz").read_bytes() == first
    assert first[4:8] == bytes(4)


# A folder.


def run_folder(folder: Path, text: str = "old") -> Path:
    folder.mkdir(parents=True)
    (folder / "fit.json").write_text(text)
    return folder


def test_a_folder_appears_whole_and_only_at_the_end(tmp_path):
    target = tmp_path / "deep" / "run"
    with writing_folder(target) as temporary:
        (temporary / "fit.json").write_text("new")
        (temporary / "more").mkdir()
        (temporary / "more" / "a").write_text("b")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert tree(tmp_path) == {"deep/run/fit.json": "new", "deep/run/more/a": "b"}
    assert everything(target.parent) == ["run", "run/fit.json", "run/more", "run/more/a"]


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_the_old_folder_stays_when_the_block_fails(tmp_path, error):
    target = run_folder(tmp_path / "run")
    with pytest.raises(error):
        fail_halfway_in_folder(target, error, overwrite=True)
    assert everything(tmp_path) == ["run", "run/fit.json"]
    assert tree(tmp_path) == {"run/fit.json": "old"}
    with pytest.raises(error):
        fail_halfway_in_folder(tmp_path / "never", error)
    assert everything(tmp_path) == ["run", "run/fit.json"]


def test_a_fit_is_overwritten_only_on_request(tmp_path):
    target = run_folder(tmp_path / "run")
    (target / "trust.json").write_text("old")
    with pytest.raises(OutputError) as caught, writing_folder(target):
        raise AssertionError("the block must not begin")
    assert str(caught.value) == f"{target}: already exists; choose another place, or pass --overwrite"
    with writing_folder(target, overwrite=True) as temporary:
        (temporary / "fit.json").write_text("new")
    assert everything(tmp_path) == ["run", "run/fit.json"]
    assert tree(tmp_path) == {"run/fit.json": "new"}


def test_a_fit_folder_with_other_files_is_not_overwritten(tmp_path):
    target = run_folder(tmp_path / "run")
    (target / "notes.md").write_text("mine")
    (target / "checkpoints").mkdir()
    (target / "checkpoints" / "a.pt").write_text("mine")
    before = tree(tmp_path)
    for attempt in (ensure_free, lambda *a, **k: writing_folder(*a, **k).__enter__()):
        with pytest.raises(OutputError) as caught:
            attempt(target, overwrite=True)
        assert str(caught.value) == (
            f"{target}: holds files that no fit wrote (checkpoints and 1 more); move it away, or choose another place"
        )
    assert tree(tmp_path) == before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("place", ["file", "home", "broken link"])
def test_other_folders_are_never_overwritten(tmp_path, place, overwrite):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("mine")
    (tmp_path / "broken link").symlink_to("nowhere")
    before = everything(tmp_path)
    for attempt in (ensure_free, lambda *a, **k: writing_folder(*a, **k).__enter__()):
        with pytest.raises(OutputError) as caught:
            attempt(tmp_path / place, overwrite=overwrite)
        assert str(caught.value) == f"{tmp_path / place}: already exists; choose another place"
    assert everything(tmp_path) == before


def test_an_empty_folder_is_free(tmp_path):
    (tmp_path / "run").mkdir()
    ensure_free(tmp_path / "run")
    ensure_free(tmp_path / "absent")
    with writing_folder(tmp_path / "run") as temporary:
        (temporary / "fit.json").write_text("new")
    assert tree(tmp_path) == {"run/fit.json": "new"}
    assert everything(tmp_path) == ["run", "run/fit.json"]


def test_a_folder_that_another_process_finished_meanwhile_is_kept(tmp_path):
    target = tmp_path / "run"
    with pytest.raises(OutputError, match="already exists"), writing_folder(target):
        run_folder(target, "theirs")
    assert everything(tmp_path) == ["run", "run/fit.json"]
    assert tree(tmp_path) == {"run/fit.json": "theirs"}


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    target = run_folder(tmp_path / "run")
    replace = Path.replace

    def failing(self, other):
        if self.suffix == ".partial":
            raise OSError(5, "Input/output error")
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OutputError) as caught, writing_folder(target, overwrite=True) as temporary:
        (temporary / "fit.json").write_text("new")
    assert str(caught.value) == f"{target}: can't be written (Input/output error)"
    assert tree(tmp_path) == {"run/fit.json": "old"}
    assert everything(tmp_path) == ["run", "run/fit.json"]


def test_a_linked_fit_folder_is_overwritten_in_place(tmp_path):
    run_folder(tmp_path / "disk" / "run")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "run")
    with writing_folder(tmp_path / "link", overwrite=True) as temporary:
        (temporary / "fit.json").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert everything(tmp_path / "disk") == ["run", "run/fit.json"]
    assert tree(tmp_path / "disk") == {"run/fit.json": "new"}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file/run", "Not a directory"),
        ("file/deep/run", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_with_the_reason(tmp_path, place, reason):
    (tmp_path / "file").write_text("old")
    with pytest.raises(OutputError) as caught, writing_folder(tmp_path / place):
        pass
    assert str(caught.value) == f"{tmp_path / place}: can't be written ({reason})"
    assert everything(tmp_path) == ["file"]
