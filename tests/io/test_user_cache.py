from pathlib import Path

import pytest

from sscl_geo.io import user_cache as cache
from sscl_geo.io.user_cache import cache_folder, recall, remember


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("SSCL_GEO_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))


def test_the_environment_variable_overrides_everything(monkeypatch, tmp_path):
    monkeypatch.setenv("SSCL_GEO_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", "/home/me/.cache/sscl-geo"), ("darwin", "/home/me/Library/Caches/sscl-geo")],
)
def test_each_platform_has_its_folder(monkeypatch, platform, expected):
    monkeypatch.setattr(cache.sys, "platform", platform)
    assert cache_folder() == Path(expected)


@pytest.mark.parametrize(
    ("xdg", "expected"), [("/caches", "/caches/sscl-geo"), ("rel", "/home/me/.cache/sscl-geo")]
)
def test_a_relative_xdg_folder_is_ignored(monkeypatch, xdg, expected):
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert cache_folder() == Path(expected)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SSCL_GEO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_kept_is_recalled_under_its_key_alone(folder):
    remember("kind", ["a", 1], {"mean": [0.1, float("inf")], "name": "ü"})
    assert recall("kind", ["a", 1]) == {"mean": [0.1, float("inf")], "name": "ü"}
    assert recall("kind", ["a", 2]) is None
    assert recall("other", ["a", 1]) is None


def test_a_damaged_file_is_nothing(folder):
    remember("kind", "key", [1, 2, 3])
    (file,) = folder.rglob("*.json")
    file.write_bytes(b"[1, 2\xff")
    assert recall("kind", "key") is None
    remember("kind", "key", 5)
    assert recall("kind", "key") == 5


def test_a_folder_that_cannot_be_written_to_keeps_nothing(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SSCL_GEO_CACHE", str(tmp_path / "file"))
    remember("kind", "key", 5)
    assert recall("kind", "key") is None
