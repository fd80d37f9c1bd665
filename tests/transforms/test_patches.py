import pytest
import torch

from sscl_geo.transforms.patches import PatchAugmentation


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
