import pytest
import torch

from sscl_geo.transforms.patches import PatchAugmentation
from sscl_geo.transforms.radiometric import radiometric_augmentation


def painted(count=16, size=24):
    """Images that show their mask: smooth in two bands, class = quadrant pattern of the bands."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    image = torch.stack([x, y]).float().expand(count, 2, size, size).clone()
    mask = ((x // 6) + 4 * (y // 6)).expand(count, size, size).clone()
    return image, mask


@pytest.mark.parametrize(
    "options",
    [{}, {"rotation": 30.0}, {"zoom": (0.6, 1.5)}, {"zoom": (0.7, 1.3), "rotation": 180.0}],
)
def test_labels_stay_on_their_ground(options):
    torch.manual_seed(0)
    augment = PatchAugmentation((0.0, 0.0), (1.0, 1.0), brightness=0, contrast=0, **options)
    image, mask = painted()
    found = augment(
        {"image": image, "mask": mask, "valid": torch.ones(mask.shape, dtype=torch.bool)}
    )
    known = found["mask"] != 255
    # The image holds the old coordinates of each pixel: (column, row) of its centre.
    col, row = found["image"][:, 0][known] + 0.5, found["image"][:, 1][known] + 0.5
    # Bilinear interpolation clamps within half a pixel of the old border.
    inner = ((col - 12).abs() < 11) & ((row - 12).abs() < 11)
    expected = (col // 6 + 4 * (row // 6)).long()
    border = ((col / 6 - (col / 6).round()).abs() < 1e-3) | (
        (row / 6 - (row / 6).round()).abs() < 1e-3
    )
    check = inner & ~border
    assert check.sum() > 1000
    assert torch.equal(found["mask"][known][check], expected[check])


def test_ground_beyond_the_old_patch_has_no_label_and_no_data():
    augment = PatchAugmentation((0.0, 0.0), (1.0, 1.0), zoom=(2.0, 2.0), moves=False)
    image, mask = painted(2)
    found = augment(
        {"image": image + 5, "mask": mask, "valid": torch.ones(mask.shape, dtype=torch.bool)}
    )
    inside = torch.zeros(24, 24, dtype=torch.bool)
    inside[6:18, 6:18] = True
    for i in range(2):
        assert torch.equal(found["valid"][i], inside)
        assert torch.equal(found["mask"][i] != 255, inside)
        assert not found["image"][i, :, ~inside].any()


@pytest.mark.parametrize("options", [{}, {"rotation": 30.0}])
def test_pixels_without_data_have_no_label(options):
    augment = PatchAugmentation((0.0, 0.0), (1.0, 1.0), **options)
    image, mask = painted(4)
    valid = torch.rand(mask.shape) < 0.7
    found = augment({"image": image, "mask": mask.masked_fill(~valid, 255), "valid": valid})
    assert (found["mask"] != 255).any()
    assert not (found["mask"] != 255)[~found["valid"]].any()


def recolored(preset, image, mask, valid, seed=0):
    statistics = ((9.0, 12.0), (7.0, 5.0))
    changes = preset and radiometric_augmentation(1.0, preset, *statistics)
    augment = PatchAugmentation(*statistics, rotation=30.0, radiometric=changes)
    torch.manual_seed(seed)
    return augment({"image": image, "mask": mask.masked_fill(~valid, 255), "valid": valid})


@pytest.mark.parametrize("preset", ["optical", "sar", "sar_db"])
def test_presets_change_the_image_and_leave_the_ground(preset):
    image, mask = painted()
    valid = torch.rand(mask.shape) < 0.8
    before, after = (recolored(name, image + 1, mask, valid) for name in (None, preset))
    assert torch.equal(before["mask"], after["mask"])
    assert torch.equal(before["valid"], after["valid"])
    assert torch.isfinite(after["image"]).all()
    changed = (before["image"] != after["image"]).any(dim=1)[after["valid"]]
    assert changed.float().mean() > 0.9


@pytest.mark.parametrize("preset", [None, "optical", "sar", "sar_db"])
def test_what_lies_where_no_data_is_reaches_no_pixel(preset):
    image, mask = painted()
    valid = torch.rand(mask.shape) < 0.7
    wild = torch.where(valid[:, None], image, torch.tensor(float("nan")))
    found = [recolored(preset, values + 1, mask, valid) for values in (image, wild)]
    assert torch.equal(found[0]["image"], found[1]["image"])
    assert not found[0]["image"].masked_select(~found[0]["valid"][:, None]).any()


def test_rgb_images_get_their_preset():
    image, mask = torch.rand(8, 3, 24, 24), torch.zeros(8, 24, 24, dtype=torch.long)
    augment = PatchAugmentation(
        (0.5,) * 3, (0.3,) * 3, moves=False, radiometric=radiometric_augmentation(1.0, "rgb")
    )
    valid = torch.ones(8, 24, 24, dtype=torch.bool)
    found = augment({"image": image, "mask": mask, "valid": valid})["image"]
    assert (found != (image - 0.5) / 0.3).flatten(1).any(dim=1).all()
