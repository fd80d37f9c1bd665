"""Damaged places are summed up at the end of a training."""

import re
import warnings
from collections.abc import Callable

import lightning.pytorch as pl
import numpy as np
import pytest
import rasterio
import torch

from sscl_geo.callbacks.skipped import SkippedPlaces
from sscl_geo.datamodules.pairs import PairDataModule
from sscl_geo.errors import SkippedPlaceWarning
from sscl_geo.training import quiet_lightning

NOISE = np.random.default_rng(0).integers(1, 60000, (1, 128, 128)).astype(np.uint16)


class Idle(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, _batch, _):
        return self.weight.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def make_damaged(make_scene) -> Callable[[str], str]:
    """Write scenes that open, but of which only the first row of blocks can be decoded."""

    def make(name: str) -> str:
        options = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
        path = make_scene(NOISE, name, **options)
        with rasterio.open(path) as source:
            offset = int(source.get_tag_item("BLOCK_OFFSET_0_1", "TIFF", bidx=1))
        content = bytearray(path.read_bytes())
        content[offset:] = bytes(len(content) - offset)
        path.write_bytes(content)
        return str(path)

    return make


def train(*scenes: str, workers: int = 0, batch: int = 32) -> list[str]:
    """Messages at the end of a training."""
    data = PairDataModule(
        list(scenes), patch_size=16, batch_size=batch, length=128, num_workers=workers
    )
    with quiet_lightning(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[SkippedPlaces()],
        )
        trainer.fit(Idle(), datamodule=data)
    return [
        str(w.message)
        for w in caught
        if issubclass(w.category, SkippedPlaceWarning) and "stood in" in str(w.message)
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_sum_names_the_damaged_scenes(make_scene, make_damaged, workers: int) -> None:
    good = str(make_scene(NOISE, "good.tif"))
    others = [str(make_scene(NOISE, f"good{i}.tif")) for i in range(3)]
    (message,) = train(good, *others, make_damaged("bad.tif"), workers=workers)
    found = re.fullmatch(
        r"(\d+) of 128 pairs lay in places that could not be read, and others stood in for them; "
        r"fetch or write these scenes again: \S+bad\.tif \((\d+)\)\.",
        message,
    )
    assert found
    assert 0 < int(found[1]) == int(found[2]) < 128


def test_only_the_worst_are_named(make_scene, make_damaged) -> None:
    bad = [make_damaged(f"bad{i}.tif") for i in range(5)]
    (message,) = train(str(make_scene(NOISE, "good.tif")), *bad, batch=128)
    assert re.search(r"(\S+bad\d\.tif \(\d+\)(, )?){3} and \d more\.$", message)


def test_sound_scenes_are_not_spoken_of(make_scene) -> None:
    assert train(str(make_scene(NOISE, "good.tif"))) == []
