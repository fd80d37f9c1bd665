"""The data module of pairs: what it serves, and how it goes on after a break."""

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from sscl_geo import PairDataModule
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
        self.seen.append(batch["pixel_to_map"].sum(dim=(1, 2, 3)))
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


def without_flips(data: PairDataModule) -> PairDataModule:
    """Augmentation draws from torch's generator, which a checkpoint does not hold."""
    data.setup("fit")
    data.augmentation.warp.flips = data.augmentation.warp.quarter_turns = False
    return data


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
    fit(without_flips(PairDataModule(**options(scene))), probe, 12)
    assert not torch.equal(torch.cat(probe.seen[:6]), torch.cat(probe.seen[6:]))


@pytest.mark.parametrize("stop", [2, 6, 8])
def test_a_resumed_training_goes_on_with_the_same_stream(scene: str, tmp_path, stop: int) -> None:
    whole, resumed = Probe(), Probe()
    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=stop, save_top_k=-1)
    fit(without_flips(PairDataModule(**options(scene))), whole, 12, saver)
    checkpoint = str(tmp_path / f"step={stop}.ckpt")
    fit(without_flips(PairDataModule(**options(scene))), resumed, 12, checkpoint=checkpoint)
    assert torch.equal(torch.cat(resumed.seen), torch.cat(whole.seen[stop:]))


def test_workers_serve_the_same_pairs(scene: str) -> None:
    alone, helped = Probe(), Probe()
    fit(without_flips(PairDataModule(**options(scene))), alone, 6)
    fit(without_flips(PairDataModule(**options(scene), num_workers=2)), helped, 6)
    # Batches differ, since each cell's pairs go to one worker, but not what an epoch holds.
    one, other = (
        sorted(view.numpy().tobytes() for view in torch.cat(p.seen)) for p in (alone, helped)
    )
    assert one == other


def test_a_cache_serves_the_same_pairs(scene: str, tmp_path) -> None:
    alone, cached = Probe(), Probe()
    fit(without_flips(PairDataModule(**options(scene))), alone, 3)
    fit(without_flips(PairDataModule(**options(scene), cache=str(tmp_path / "c"))), cached, 3)
    assert torch.equal(torch.cat(alone.seen), torch.cat(cached.seen))
    assert list((tmp_path / "c").glob("*.npy"))
