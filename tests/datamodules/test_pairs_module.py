"""The data module of pairs: what it serves, and how it goes on after a break."""

import random
from types import SimpleNamespace

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from affine import Affine
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torchgeo.datasets import GeoDataset, RasterDataset

from sscl_geo import PairDataModule, SceneDataset
from sscl_geo.errors import ConfigError, TrainingError
from sscl_geo.training import quiet_lightning


@pytest.fixture
def scene(make_scene) -> str:
    array = np.random.default_rng(0).integers(1, 255, (2, 90, 120)).astype(np.uint8)
    return str(make_scene(array, nodata=0))


class Probe(pl.LightningModule):
    """Learns nothing, remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[torch.Tensor] = []

    def training_step(self, batch, _):
        self.seen.append(batch["pixel_to_map"].sum(dim=(1, 2, 3)) + batch["image"].sum())
        return self.weight.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def options(scene: str) -> dict:
    return {"scenes": [scene], "patch_size": 16, "batch_size": 4, "length": 24}


def fit(
    data: PairDataModule,
    probe: Probe,
    steps: int,
    *callbacks: pl.Callback,
    checkpoint: str | None = None,
) -> None:
    with quiet_lightning():
        trainer = pl.Trainer(
            max_steps=steps,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=bool(callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=list(callbacks),
        )
        trainer.fit(probe, datamodule=data, ckpt_path=checkpoint, weights_only=True)


def test_batches_are_augmented_pairs(scene: str) -> None:
    class Shapes(Probe):
        def training_step(self, batch, number):
            assert batch["image"].shape == (4, 2, 2, 16, 16)
            assert batch["pixel_to_map"].dtype == torch.float64
            assert abs(float(batch["image"].mean())) < 1
            return super().training_step(batch, number)

    probe = Shapes()
    fit(PairDataModule(**options(scene)), probe, 3)
    assert len(probe.seen) == 3


def test_other_epochs_draw_other_pairs(scene: str) -> None:
    probe = Probe()
    fit(PairDataModule(**options(scene)), probe, 12)
    assert not torch.equal(torch.cat(probe.seen[:6]), torch.cat(probe.seen[6:]))


@pytest.mark.parametrize("stop", [2, 6, 8])
def test_a_resumed_training_goes_on_with_the_same_stream(scene: str, tmp_path, stop: int) -> None:
    whole, resumed = Probe(), Probe()
    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=stop, save_top_k=-1)
    fit(PairDataModule(**options(scene)), whole, 12, saver)
    checkpoint = str(tmp_path / f"step={stop}.ckpt")
    fit(PairDataModule(**options(scene)), resumed, 12, checkpoint=checkpoint)
    assert torch.equal(torch.cat(resumed.seen), torch.cat(whole.seen[stop:]))


class Centres(Probe):
    """Remembers where the views of its pairs have their centres, which no flip moves."""

    def training_step(self, batch, _):
        matrix = batch["pixel_to_map"]
        self.seen.append(matrix[..., :2].sum(dim=-1) * 8 + matrix[..., 2])
        return self.weight.sum()


def test_workers_serve_the_same_pairs(scene: str) -> None:
    alone, helped = Centres(), Centres()
    fit(PairDataModule(**options(scene), pairs_per_cell=4), alone, 6)
    fit(PairDataModule(**options(scene), pairs_per_cell=4, num_workers=2), helped, 6)
    # Batches differ, since each cell's pairs go to one worker, but not what an epoch holds.
    one, other = (
        sorted(torch.cat(p.seen).flatten(1).round(decimals=3).tolist()) for p in (alone, helped)
    )
    assert one == other


def test_a_cache_serves_the_same_pairs(scene: str, tmp_path) -> None:
    alone, cached = Probe(), Probe()
    fit(PairDataModule(**options(scene)), alone, 3)
    fit(PairDataModule(**options(scene), cache=str(tmp_path / "c")), cached, 3)
    assert torch.equal(torch.cat(alone.seen), torch.cat(cached.seen))
    assert list((tmp_path / "c").glob("*.npy"))


def test_what_is_drawn_in_a_step_goes_on_too(scene: str, tmp_path) -> None:
    class Drawing(Probe):
        def training_step(self, *_):
            drawn = random.random() + np.random.rand()  # noqa: S311, NPY002 - both are seeded
            self.seen.append(torch.rand(1) + drawn)
            return self.weight.sum()

    whole, resumed = Drawing(), Drawing()
    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=4, save_top_k=-1)
    fit(PairDataModule(**options(scene)), whole, 7, saver)
    fit(PairDataModule(**options(scene)), resumed, 7, checkpoint=str(tmp_path / "step=4.ckpt"))
    assert torch.equal(torch.cat(resumed.seen), torch.cat(whole.seen[4:]))
    assert torch.cat(whole.seen).unique().numel() == 7


def test_ranks_draw_apart(scene: str) -> None:
    data = PairDataModule(**options(scene))
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    drawn = []
    for rank in (0, 1, 0):
        progress = SimpleNamespace(total=SimpleNamespace(ready=3))
        loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
        data.trainer = SimpleNamespace(training=True, global_rank=rank, fit_loop=loop)
        drawn.append(data.on_after_batch_transfer(batch, 0)["image"])
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_an_epoch_shorter_than_a_batch_is_refused(scene: str) -> None:
    data = PairDataModule(**{**options(scene), "length": 3})
    with pytest.raises(TrainingError, match="3 pairs on each device does not fill a batch of 4"):
        data.train_dataloader()


def test_more_ranks_than_an_epoch_has_batches_for_are_refused(scene: str, monkeypatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 16)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 15)
    with pytest.raises(TrainingError, match="2 pairs on each device does not fill a batch of 4"):
        PairDataModule(**options(scene)).train_dataloader()


def images(make_scene, name: str, shift: float = 0.0, bands: int = 2) -> RasterDataset:
    array = np.random.default_rng(0).integers(1, 255, (bands, 90, 120)).astype(np.uint8)
    transform = Affine(10, 0, 300_000 + shift, 0, -10, 4_100_000)
    folder = make_scene(array, name=f"{name}.tif", transform=transform)
    return RasterDataset(str(folder))


def only(dataset: GeoDataset) -> dict:
    return {**options(""), "scenes": dataset}


@pytest.mark.parametrize(
    ("join", "bands"), [(lambda a, _: a, 2), (lambda a, b: a | b, 2), (lambda a, b: a & b, 4)]
)
def test_torchgeos_datasets_are_drawn_from(make_scene, tmp_path, join, bands: int) -> None:
    joined = join(images(make_scene, "a"), images(make_scene, "b", shift=400))
    data = PairDataModule(**only(joined))

    class Checks(Probe):
        def training_step(self, batch, number):
            assert batch["image"].shape == (4, 2, bands, 16, 16)
            return super().training_step(batch, number)

    probe = Checks()
    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=2, save_top_k=-1)
    fit(data, probe, 4, saver)
    assert len(data.statistics.bands) == bands
    assert data.scenes.index.total_bounds == pytest.approx(joined.index.total_bounds)
    # What it was given is told in its checkpoints, and is not in them.
    kept = torch.load(tmp_path / "step=2.ckpt", weights_only=True)
    assert type(joined).__name__ in kept["datamodule_hyper_parameters"]["scenes"]


def test_a_torchgeo_dataset_gives_the_pairs_of_its_files(make_scene) -> None:
    dataset = images(make_scene, "a")
    theirs, ours = Centres(), Centres()
    fit(PairDataModule(**only(dataset)), theirs, 3)
    fit(PairDataModule(**options(dataset.files[0])), ours, 3)
    assert torch.equal(torch.cat(theirs.seen), torch.cat(ours.seen))


def test_scenes_that_are_open_keep_their_own_options(make_scene, scene: str) -> None:
    dataset = SceneDataset(scene, bands=["band_2"])
    data = PairDataModule(**only(dataset))
    data.setup("fit")
    assert data.scenes is dataset
    assert data.statistics.bands == ("band_2",)
    with pytest.raises(ConfigError, match="bands beside a SceneDataset"):
        PairDataModule(**only(dataset), bands=["band_1"]).setup("fit")
    with pytest.raises(ConfigError, match="clouds beside a RasterDataset"):
        PairDataModule(**only(images(make_scene, "a")), clouds="landsat_qa").setup("fit")
