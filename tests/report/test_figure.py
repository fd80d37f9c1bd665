"""Text in pictures, in whatever letters the names of classes have."""

import warnings

import pytest
from matplotlib import font_manager

from sscl_geo.errors import MissingFontWarning
from sscl_geo.report import figure
from sscl_geo.report.figure import new_figure, to_png, to_svg


def written(text: str):
    made = new_figure(2, 1)
    made.text(0.1, 0.5, text)
    return made


def test_svg_leaves_letters_to_the_reader_s_fonts():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "水田 الغابة" in to_svg(written("水田 الغابة")).decode()


def test_letters_that_no_font_has_are_told_of_in_one_sentence(monkeypatch):
    monkeypatch.setattr(figure, "_installed_fallbacks", tuple)
    with pytest.warns(MissingFontWarning, match="install one") as caught:
        to_png(written("水田"))
    assert len(caught) == 1


def test_letters_of_an_installed_font_are_drawn():
    fonts = map(font_manager.findfont, figure._installed_fallbacks())
    if not any(font_manager.get_font(font).get_char_index(ord("水")) for font in fonts):
        pytest.skip("no such font is installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error", MissingFontWarning)
        to_png(written("水"))


def test_other_warnings_come_through(monkeypatch):
    made = written("a")
    save = made.savefig
    monkeypatch.setattr(
        made, "savefig", lambda *a, **k: warnings.warn("low on ink", stacklevel=1) or save(*a, **k)
    )
    with pytest.warns(UserWarning, match="low on ink"):
        to_png(made)
