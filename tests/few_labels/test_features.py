import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from torch import nn

from experiments.few_labels.features import encoder_features, hand_made_features, take


class TwoLevels(nn.Module):
    """Features at strides 1, 2 and 4; that at 1 is left out."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(2, 5, 2, 2), nn.Conv2d(2, 4, 4, 4)

    def forward(self, image):
        return [image, self.fine(image), self.coarse(image)]


def test_components_are_those_of_all_levels_interpolated_to_each_pixel():
    torch.manual_seed(0)
    encoder = TwoLevels().requires_grad_(requires_grad=False)
    image, seen = torch.randn(2, 45, 70), np.zeros((45, 70), bool)
    seen[5:30, 10:60] = True
    found = encoder_features(encoder, image, seen, components=3)
    padded = F.pad(image[None], [0, 26, 0, 19], mode="reflect")
    levels = [
        F.interpolate(
            F.normalize(level, dim=1), size=(64, 96), mode="bilinear", align_corners=False
        )
        for level in encoder(padded)[1:]
    ]
    pixels = torch.cat(levels, dim=1)[0, :, :45, :70]
    known = pixels[:, torch.from_numpy(seen)].mT.numpy()
    oracle = PCA(3, svd_solver="full").fit(known)
    expected = oracle.transform(pixels.flatten(1).mT.numpy()).T.reshape(3, 45, 70)
    expected /= oracle.transform(known)[:, 0].std(ddof=1)
    for one, other in zip(found.numpy(), expected, strict=True):
        sign = np.sign((one * other).sum())  # a component's sign is a matter of chance
        np.testing.assert_allclose(one, sign * other, atol=2e-4)


def test_hand_made_features_are_local_means_and_deviations():
    image, seen = torch.randn(2, 40, 50), np.ones((40, 50), bool)
    found = hand_made_features(image, seen).numpy()
    row, col = 20, 25
    window = image[:, row - 2 : row + 3, col - 2 : col + 3].numpy()
    for at, raw in ((2, window.mean(axis=(1, 2))[0]), (4, window.std(axis=(1, 2))[0])):
        # Standardised features are an affine function of the raw ones.
        other = image[0, 8:13, 8:13].numpy()
        raw_other = other.mean() if at == 2 else other.std()
        third = image[0, 28:33, 38:43].numpy()
        raw_third = third.mean() if at == 2 else third.std()
        ratio = (found[at, row, col] - found[at, 10, 10]) / (found[at, 30, 40] - found[at, 10, 10])
        np.testing.assert_allclose(ratio, (raw - raw_other) / (raw_third - raw_other), rtol=1e-2)


def test_taking_pixels_is_by_row_and_column():
    features = torch.arange(24.0).reshape(2, 3, 4)
    assert take(features, np.array([[1, 2]])).tolist() == [[6.0, 18.0]]
