"""The documentation tells the truth: its Python runs, its command lines parse."""

import importlib
import importlib.util
import os
import re
import shlex
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from sscl_geo.cli.main import VERBS
from sscl_geo.cli.parsing import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SMALLER = {r"\bsteps=\d+": "steps=2", r"\bbatch_size=\d+": "batch_size=4"}
"""What is made smaller before a block runs, so that it takes seconds; nothing else is changed."""


def blocks(page, language):
    """Code blocks of a page, without the indentation of the tab or note they stand in."""
    fence = re.compile(rf"^( *)```{language}\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    return [
        re.sub(f"^{indent}", "", code, flags=re.MULTILINE)
        for indent, code in fence.findall(page.read_text(encoding="utf-8"))
    ]


def with_blocks(language):
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in PAGES
        if blocks(page, language)
    ]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Folder with the files that the pages speak of: scene.tif, labels.gpkg and map.tif."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:160, :192]
    water = (cols // 24 + rows // 40) % 2 == 0
    pixels = np.where(water, 40, 120) + rng.normal(0, 8, (3, 160, 192))
    transform = Affine(30, 0, 300_015, 0, -30, 4_100_025)
    with rasterio.open(
        tmp_path / "scene.tif", "w", driver="GTiff", count=3, height=160, width=192,
        dtype="uint8", crs="EPSG:32612", transform=transform,
    ) as target:  # fmt: skip
        target.write(pixels.clip(1, 255).astype(np.uint8))
        profile = target.profile
    with rasterio.open(tmp_path / "map.tif", "w", **profile | {"count": 1}) as target:
        target.write(np.where(water, 2, 1).astype(np.uint8), 1)
    (tmp_path / "map.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category/><Category>forest</Category>'
        "<Category>water</Category></CategoryNames></PAMRasterBand></PAMDataset>"
    )
    corners = [(c, r) for r in range(4, 150, 20) for c in range(4, 180, 24)]
    squares = [
        shapely.box(*(transform @ (c, r + 8)), *(transform @ (c + 8, r))) for c, r in corners
    ]
    names = ["water" if water[r, c] else "forest" for c, r in corners]
    gpd.GeoDataFrame({"class": names}, geometry=squares, crs="EPSG:32612").to_file(
        tmp_path / "labels.gpkg"
    )
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", with_blocks("python"))
def test_python_blocks_run_one_after_the_other(page, workplace):
    namespace = {"__name__": "__main__"}
    for number, block in enumerate(blocks(page, "python")):
        code = block
        for large, small in SMALLER.items():
            code = re.sub(large, small, code)
        exec(compile(code, f"{page.name}, block {number + 1}", "exec"), namespace)  # noqa: S102 - our own pages


@pytest.mark.parametrize(
    ("config", "overrides"),
    [
        ("pretrain.yaml", ["--model.dense_stride=4", "--data.length=4"]),
        ("finetune.yaml", ["--model.lr=1e-4", "--data.length=4"]),
    ],
)
def test_configs_run_with_torchgeo_fit(config, overrides, workplace, monkeypatch):
    from torchgeo.main import main

    with monkeypatch.context() as environment:
        environment.setattr("os.environ", dict(os.environ))  # TorchGeo sets GDAL's options there
        options = ["max_steps=2", "accelerator=cpu", "logger=false", "enable_progress_bar=false"]
        main(
            [
                "fit",
                f"--config={ROOT / 'docs/configs' / config}",
                "--data.batch_size=2",
                *(f"--trainer.{option}" for option in options),
                *overrides,
            ]
        )
    assert list(Path().rglob("*.ckpt"))


def commands(page):
    """Command lines of the bash blocks, each as a list of words, up to a pipe or redirection."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                words = shlex.split(command, comments=True)
                end = next((i for i, w in enumerate(words) if w in {"|", ">"}), None)
                if words:
                    yield words[:end]


@pytest.mark.parametrize("page", with_blocks("bash"))
def test_command_lines_are_understood(page):
    for words in commands(page):
        if words[0] == "sscl-geo":
            check_verb(words[1:])
        elif words[0] == "make":
            targets = re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            goals = [w for w in words[1:] if "=" not in w]
            assert all(g in targets or g.startswith("bench-") for g in goals), words
        elif words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]), words


@pytest.mark.filterwarnings("default::sscl_geo.errors.NoValidationWarning")
def test_few_labels_are_drawn_and_trained_on_as_evaluation_says(workplace, capsys):
    from sscl_geo.cli.main import main

    page = commands(ROOT / "docs" / "evaluation.md")
    draw, train = (
        words[1:] for words in page if "labels_1pct" in " ".join(words) or "--label-shares" in words
    )
    assert main([*draw, "--block-size=32", "--patch-size=64"]) == 0
    small = ["--patch-size=32", "--batch-size=2", "--steps=2", "--accelerator=cpu"]
    assert main([*train, *small]) == 0
    assert "training goes without validation" in capsys.readouterr().err
    assert main([*train, *small, "--patience=1"]) == 2
    assert "needs ground to validate on" in capsys.readouterr().err


def check_verb(words):
    if words[0] in {"--help", "--version"}:
        return
    assert words[0] in VERBS
    verb = getattr(importlib.import_module(f"sscl_geo.cli.{words[0]}"), words[0])
    parser = build_parser(verb, words[0])
    words = [w for w in words[1:] if w not in {"--debug", "--print_config"}]
    if "--help" in words:
        return
    if "--config" in words:  # the file exists on the reader's disk only, with all that is required
        at = words.index("--config")
        del words[at : at + 2]
        for option in (w for w in words if w.startswith("--")):
            assert option.partition("=")[0] in parser.format_help()
        return
    parser.parse_args(words)


@pytest.mark.parametrize("name", [*VERBS, "--help"])
def test_the_page_of_the_command_line_names_every_verb(name):
    assert name in (ROOT / "docs/cli.md").read_text(encoding="utf-8")


def test_every_room_is_on_the_architecture_page():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = [p.name + "/" if p.is_dir() else p.name for p in (ROOT / "sscl_geo").iterdir()]
    missing = [
        r for r in rooms if not r.startswith("_") and r != "py.typed" and f"`{r}`" not in page
    ]
    assert not missing


def test_every_public_name_is_in_the_reference():
    import sscl_geo

    pages = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs/reference").glob("*.md"))
    missing = [n for n in sscl_geo.__all__ if n != "__version__" and f".{n}\n" not in pages]
    assert not missing
