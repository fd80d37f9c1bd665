"""Command lines and config files: what they give to a verb, and what they say when wrong."""

from pathlib import Path
from typing import Literal

import pytest
import yaml

from sscl_geo.cli.parsing import build_parser, parse_command
from sscl_geo.errors import ConfigError


def cut(
    scene: Path,
    others: list[Path] | None = None,
    *,
    model: Path,
    out: Path = Path("map.tif"),
    tile_size: int = 256,
    share: float | None = 0.5,
    bands: list[str] | None = None,
    zoom: tuple[float, float] = (0.5, 2.0),
    blend: Literal["hann", "flat"] = "hann",
    polygons: bool = True,
) -> Path | None:
    """Cut a scene into pieces.

    The pieces are 100 % square, and ``None`` of them is lost.

    Args:
        scene: raster to cut.
        others: more rasters.
        model: bundle, from ``finetune``.
        out: where the pieces go.
        tile_size: side of a piece, in pixels.
        share: part of each piece that is kept.
        bands: names of bands, at 50 % of the price.
        zoom: least and greatest zoom.
        blend: how pieces meet.
        polygons: also draw outlines.
    """


def values(*words):
    return parse_command(cut, "sscl-geo cut", words).values


def sentence(*words):
    with pytest.raises(ConfigError) as caught:
        values(*words)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith((".", "?"))
    return text


def test_defaults_are_the_functions_own():
    assert values("a.tif", "--model", "m") == {
        "scene": Path("a.tif"),
        "others": None,
        "model": Path("m"),
        "out": Path("map.tif"),
        "tile_size": 256,
        "share": 0.5,
        "bands": None,
        "zoom": (0.5, 2.0),
        "blend": "hann",
        "polygons": True,
    }


def test_positional_lists_take_every_word():
    assert values("a", "b", "c", "--model", "m")["others"] == [Path("b"), Path("c")]


def test_keyword_lists_take_every_word():
    assert values("a", "--model", "m", "--bands", "red", "nir")["bands"] == ["red", "nir"]


def test_a_tuple_takes_as_many_words_as_it_has_items():
    assert values("a", "--model", "m", "--zoom", "1", "3")["zoom"] == (1.0, 3.0)
    assert "--zoom: expected 2 arguments" in sentence("a", "--model", "m", "--zoom", "1")


@pytest.mark.parametrize("option", ["--tile-size", "--tile_size"])
def test_hyphens_and_underscores_are_the_same(option):
    assert values("a", "--model", "m", option, "64")["tile_size"] == 64
    assert values("a", "--model", "m", f"{option}=64")["tile_size"] == 64


def test_a_hyphen_in_a_value_stays():
    assert values("a", "--model=my_old-model")["model"] == Path("my_old-model")


@pytest.mark.parametrize(("word", "value"), [("--polygons", True), ("--no-polygons", False)])
def test_flags_have_an_opposite(word, value):
    assert values("a", "--model", "m", word)["polygons"] is value


@pytest.mark.parametrize(
    "words",
    [
        ("a", "--model", "m"),
        ("a", "b", "c", "--model", "m", "--bands", "red", "nir", "--no-polygons"),
        ("a", "--model", "m", "--share", "null", "--blend", "flat", "--tile-size", "7"),
        ("a", "--model", "m", "--zoom", "1", "1.5"),
        ("a b's: #1.tif", "--model", "é.safetensors", "--share", "1e-9"),
    ],
)
def test_a_written_config_gives_the_same_values(tmp_path, words):
    command = parse_command(cut, "sscl-geo cut", words)
    config = tmp_path / "c.yaml"
    config.write_text(command.config, encoding="utf-8")
    assert values("--config", str(config)) == command.values


def test_a_config_holds_every_value():
    config = yaml.safe_load(parse_command(cut, "sscl-geo cut", ["a", "--model", "m"]).config)
    assert list(config) == [
        "scene",
        "others",
        "model",
        "out",
        "tile_size",
        "share",
        "bands",
        "zoom",
        "blend",
        "polygons",
    ]


def test_the_command_line_wins_over_the_config(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("scene: a\nmodel: m\ntile_size: 1\nshare: 0.25\n")
    got = values("--config", str(config), "b", "--tile-size", "2")
    assert (got["scene"], got["tile_size"], got["share"]) == (Path("b"), 2, 0.25)


def test_a_list_in_the_config_stays_when_the_command_line_gives_none(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("scene: a\nmodel: m\nothers: [b, c]\nbands: [red]\n")
    got = values("--config", str(config))
    assert got["others"] == [Path("b"), Path("c")]
    assert got["bands"] == ["red"]


@pytest.mark.parametrize("option", ["--print_config", "--print-config"])
def test_print_config_prints_yaml(capsys, option):
    with pytest.raises(SystemExit) as end:
        values("a", "--model", "m", option)
    assert end.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["tile_size"] == 256


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["a", "--model", "m", "--tile-size", "x"], "--tile-size cannot be 'x'; give a whole"),
        (["a", "--model", "m", "--share", "x"], "--share cannot be 'x'; give a number or null."),
        (
            ["a", "--model", "m", "--zoom", "1", "x"],
            "--zoom cannot be 'x'; give 2 values, each a n",
        ),
        (["a", "--model", "m", "--blend", "x"], "give 'hann' or 'flat'."),
        (["a", "--model", "m", "--tilesize", "3"], "no option --tilesize, did you mean '--tile-s"),
        (["a", "--model", "m", "--tile", "3"], "There is no option --tile"),
        (["a"], "--model must be given, on the command line or in --config"),
        ([], "SCENE and --model must be given"),
        (["a", "--model", "m", "--bands"], "--bands: expected at least one argument"),
        (["--config", "missing.yaml"], "There is no config file"),
    ],
)
def test_a_wrong_command_line_is_told_in_a_sentence(words, text):
    assert text in sentence(*words)


@pytest.mark.parametrize(
    ("yaml_text", "text"),
    [
        ("scene: a\nmodel: m\ntilesize: 3\n", "unknown key 'tilesize', did you mean 'tile_size'?"),
        ("scene: a\nmodel: m\ntile_size: 1.5\n", "--tile-size cannot be '1.5'"),
        ("scene: a\nmodel: [m\n", "not valid YAML"),
        ("scene: a\nmodel: m\nzoom: [1, 2, 3]\n", "--zoom cannot be '[1.0, 2.0, 3.0]'; give 2"),
        ("scene: a\nmodel: m\nzoom: null\n", "--zoom cannot be 'None'"),
        ("scene: a\nmodel: m\nbands: red\n", "one value where a list is needed"),
        ("scene: a\nmodel: m\ntile_size: null\n", "--tile-size cannot be"),
        ("scene: a\nmodel: m\ntile_size: [1, 2]\n", "--tile-size cannot be"),
        ("scene: a\nmodel: m\npolygons: 3\n", "'3' is neither true nor false"),
        ("scene: a\nmodel: null\n", "--model must be given"),
        ("- a\n- b\n", "config"),
        ("just words\n", "config"),
    ],
)
def test_a_wrong_config_is_told_in_a_sentence(tmp_path, yaml_text, text):
    config = tmp_path / "c.yaml"
    config.write_text(yaml_text)
    assert text in sentence("--config", str(config))


def test_help_shows_types_units_and_defaults():
    text = " ".join(build_parser(cut, "sscl-geo cut").format_help().split())
    assert "--tile-size INT side of a piece, in pixels (default: 256)" in text
    assert "--blend {hann,flat}" in text
    assert "at 50 % of the price" in text
    assert "--polygons, --no-polygons also draw outlines (default: yes)" in text
    assert "--zoom FLOAT FLOAT least and greatest zoom (default: 0.5 2.0)" in text
    assert "SCENE [OTHER ...]" in text
    assert "Cut a scene into pieces. The pieces are 100 % square, and 'None' of" in text
    assert "`" not in text
