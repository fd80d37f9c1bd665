import numpy as np
import pytest
import rasterio
import torch

from sscl_geo.datamodules.labelled import LabelledDataModule
from sscl_geo.errors import ConfigError, LabelError, NoValidationWarning
from sscl_geo.io.scene import open_scene
from sscl_geo.splits import part_mask, spatial_blocks, write_blocks
from sscl_geo.transforms.patches import PatchAugmentation

SHAPE = (96, 80)


@pytest.fixture
def made(make_scene, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 1000, (2, *SHAPE)).astype(np.uint16)
    labels = rng.choice([1, 4, 255], SHAPE, p=[0.02, 0.02, 0.96]).astype(np.uint8)
    scene = make_scene(pixels, name="scene.tif", nodata=0)
    path = make_scene(labels[None], name="labels.tif", nodata=255)
    geobox = open_scene(scene).geobox
    blocks = spatial_blocks(geobox, 16, {"train": 0.4, "val": 0.2, "test": 0.4}, seed=2)
    write_blocks(blocks, tmp_path / "blocks.gpkg")
    return scene, path, tmp_path / "blocks.gpkg", blocks, geobox


def build(scene, labels, within=None, **options):
    options = {"patch_size": 32, "batch_size": 4, "length": 24, **options}
    within = within if within is None else str(within)
    data = LabelledDataModule(str(scene), str(labels), within=within, **options)
    data.setup("fit")
    return data


def batches(data):
    """Two epochs as training sees them, augmentation included."""
    torch.manual_seed(0)
    return [data.train_aug(batch) for _ in range(2) for batch in data.train_dataloader()]


def spoil(path, mask, value):
    with rasterio.open(path, "r+") as raster:
        pixels = raster.read()
        pixels[:, mask] = value
        raster.write(pixels)


@pytest.mark.parametrize(
    ("parts", "options"),
    [
        (("test",), {}),
        (("test", "val"), {}),
        (("test", "val"), {"strength": 1.0}),
        (("test", "val"), {"strength": 1.0, "preset": "sar"}),
    ],
)
def test_pixels_of_held_out_blocks_change_no_training_batch(made, parts, options):
    scene, labels, path, blocks, geobox = made
    before = batches(build(scene, labels, path, **options))
    held = np.any([part_mask(blocks, geobox, part) for part in parts], axis=0)
    rng = np.random.default_rng(9)
    spoil(scene, held, rng.integers(2000, 60_000, np.count_nonzero(held)))
    spoil(labels, held, rng.choice([1, 4], np.count_nonzero(held)))
    after = batches(build(scene, labels, path, **options))
    assert len(before) == len(after) == 12
    for old, new in zip(before, after, strict=True):
        assert old.keys() == new.keys()
        assert all(torch.equal(old[key], new[key]) for key in old)


def test_pixels_of_training_blocks_do_change_training(made):
    scene, labels, path, blocks, geobox = made
    before = batches(build(scene, labels, path))
    spoil(scene, part_mask(blocks, geobox, "train"), 999)
    assert not torch.equal(before[0]["image"], batches(build(scene, labels, path))[0]["image"])


def test_validation_sees_each_labelled_pixel_of_its_blocks_once(made):
    scene, labels, path, blocks, geobox = made
    masks = [batch["mask"] for batch in build(scene, labels, path).val_dataloader()]
    with rasterio.open(labels) as raster:
        values = raster.read(1)[part_mask(blocks, geobox, "val")]
    assert sum(int((m != 255).sum()) for m in masks) == np.count_nonzero(values != 255)


def test_without_blocks_there_is_no_validation(made):
    scene, labels, *_ = made
    assert build(scene, labels).val_dataloader() == []


def test_blocks_without_labels_for_validation_are_told_and_left_out(made):
    scene, labels, path, blocks, geobox = made
    spoil(labels, part_mask(blocks, geobox, "val"), 255)
    with pytest.warns(NoValidationWarning, match="in the 'val' blocks.*--val-share"):
        data = build(scene, labels, path)
    assert data.val_dataloader() == []


def test_a_share_for_validation_is_held_out_of_the_training_blocks(made):
    scene, labels, path, blocks, geobox = made
    data = build(scene, labels, path, val_share=0.5, patch_size=16)
    train, held = (d.region.mask(geobox) for d in (data.train_dataset, data.val_dataset))
    inside = part_mask(blocks, geobox, "train")
    assert held.any()
    assert not (held & ~inside).any()
    assert not (train & (held | ~inside)).any()


def test_batches_are_normalised_and_zero_without_data(made):
    scene, labels, *_ = made
    corner = np.zeros(SHAPE, bool)
    corner[:40, :30] = True
    spoil(scene, corner, 0)
    data = build(scene, labels)
    batch = next(iter(data.train_dataloader()))
    plain = data.aug(batch)
    assert plain["image"].dtype == torch.float32
    assert plain["mask"].dtype == torch.int64
    assert (plain["image"].movedim(1, -1)[~plain["valid"]] == 0).all()
    mean = torch.tensor(data.band_mean)[:, None, None]
    std = torch.tensor(data.band_std)[:, None, None]
    expected = (batch["image"] - mean) / std * batch["valid"][:, None]
    assert torch.allclose(plain["image"], expected, atol=1e-6)


def test_image_mask_and_valid_move_together():
    torch.manual_seed(0)
    mask = torch.randint(0, 256, (32, 9, 9))
    valid = torch.rand(32, 9, 9) > 0.2
    image = torch.stack([mask, mask], 1).float()
    augment = PatchAugmentation((0.0, 0.0), (1.0, 1.0), brightness=0, contrast=0)
    moved = augment({"image": image, "mask": mask, "valid": valid})
    shown = moved["image"][:, 0]
    assert torch.equal(shown[moved["valid"]], moved["mask"][moved["valid"]].float())
    assert (shown[~moved["valid"]] == 0).all()
    assert not torch.equal(moved["mask"], mask)
    for old, new in zip(mask, moved["mask"], strict=True):
        turns = [torch.rot90(f, k) for f in (old, old.flip(0)) for k in range(4)]
        assert any(torch.equal(new, turn) for turn in turns)


def test_labels_of_another_place_are_refused(made, make_scene):
    scene, *_ = made
    far = make_scene(np.ones((1, 4, 4), np.uint8), name="far.tif", grid="web_mercator")
    with pytest.raises(LabelError, match="wholly outside"):
        build(scene, far)


def test_an_unknown_kind_of_images_is_refused(made):
    scene, labels, *_ = made
    with pytest.raises(ConfigError, match="no preset 'infrared'"):
        build(scene, labels, strength=1.0, preset="infrared")


def test_validation_is_not_recoloured(made):
    scene, labels, path, *_ = made
    plain, changed = (build(scene, labels, path, strength=s) for s in (0.0, 1.0))
    for one, other in zip(plain.val_dataloader(), changed.val_dataloader(), strict=True):
        assert torch.equal(plain.aug(one)["image"], changed.aug(other)["image"])
