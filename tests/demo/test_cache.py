from pathlib import Path

import pytest

from sscl_geo.demo import cache
from sscl_geo.demo.cache import cache_folder


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
