"""Blur that knows where there is data."""

from kornia.filters import filter2d_separable, get_gaussian_kernel1d
from torch import Tensor

from sscl_geo.transforms.random_change import RandomChange, uniform


class RandomBlur(RandomChange):
    """Gaussian blur over valid pixels only (normalised convolution; Knutsson and Westin, 1993).

    The blurred value is the weighted mean of the valid pixels near by, so that neither pixels
    without data nor the view's border bleed into it.

    Args:
        sigma: least and greatest standard deviation, in pixels.
        p: share of views.
    """

    def __init__(self, sigma: tuple[float, float] = (0.1, 1.5), p: float = 0.3) -> None:
        super().__init__(p)
        self.sigma = sigma
        self.size = 2 * max(1, round(2 * sigma[1])) + 1

    def change(self, image: Tensor, valid: Tensor) -> Tensor:
        """Blur all views (N, C, H, W); 0 where not valid."""
        kernel = get_gaussian_kernel1d(self.size, uniform(image, *self.sigma, 1))
        known = valid[:, None].to(image.dtype)

        def spread(x: Tensor) -> Tensor:
            return filter2d_separable(x, kernel, kernel, border_type="constant")

        # Where a pixel is valid, at least its own weight is in the sum.
        blurred = spread(image.masked_fill(~valid[:, None], 0)) / spread(known).clamp(min=1e-6)
        return blurred * known
