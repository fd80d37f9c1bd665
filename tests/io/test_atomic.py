"""Files that appear whole or not at all."""

from pathlib import Path

import pytest

from sscl_geo.errors import OutputError
from sscl_geo.io.atomic import atomic_path, ensure_folder


def test_a_finished_file_stands_under_its_name_alone(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "deep" / "a.txt") as path:
        path.write_text("done")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert (tmp_path / "deep" / "a.txt").read_text() == "done"
    assert len(list((tmp_path / "deep").iterdir())) == 1


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")

    def fail_halfway() -> None:
        with atomic_path(tmp_path / "a.txt") as path:
            path.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.tif") as path:
        assert path.suffix == ".tif"
        path.touch()


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"^Cannot write into .*; choose a folder"):
        ensure_folder(tmp_path / "file" / "sub")
