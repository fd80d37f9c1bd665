"""A network that does not care where a tile starts, and scenes for it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sscl_geo.classes import ClassTable, LandCoverClass

RADIUS = 3
CLASSES = ClassTable(
    (
        LandCoverClass(3, 'Wälder & <Forst> "alt"', (34, 139, 34)),
        LandCoverClass(1, "water", (30, 60, 200)),
        LandCoverClass(9, "'水'", (200, 120, 30)),
    )
)


@dataclass
class Convolution:
    """One 7x7 convolution and a softmax: a pixel's answer depends on 3 pixels around it."""

    bands: tuple[str, ...] = ("red", "nir")
    classes: ClassTable = CLASSES
    stride: int = 1
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(7)
        self.kernel = torch.randn((3, 2, 7, 7), generator=generator) / 10

    def __call__(self, image: Tensor, valid: Tensor) -> Tensor:
        assert image.shape[0] == valid.shape[0]
        assert image.shape[2:] == valid.shape[1:]
        self.shapes.append(tuple(image.shape))
        return functional.conv2d(image / 100, self.kernel, padding=RADIUS).softmax(dim=1)

    def whole(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (classes, height, width) of a scene seen at once, mirrored at its edges."""
        around = np.pad(pixels, ((0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS)), mode="reflect")
        image = torch.from_numpy(around)[None] / 100
        return functional.conv2d(image, self.kernel).softmax(dim=1)[0].numpy()


@pytest.fixture
def convolution() -> Convolution:
    return Convolution()


@pytest.fixture
def make_pixels() -> Callable[..., NDArray[np.uint16]]:
    """Noisy fields of 12 x 12 pixels, (2, height, width); 0, for nodata, in a tilted corner."""

    def make(height: int, width: int, *, nodata_corner: bool = False) -> NDArray[np.uint16]:
        generator = np.random.default_rng(height * 1000 + width)
        coarse = generator.integers(1, 400, (2, -(-height // 12), -(-width // 12)))
        pixels = coarse.repeat(12, axis=1).repeat(12, axis=2)[:, :height, :width]
        pixels = (pixels + generator.integers(0, 10, pixels.shape)).astype(np.uint16)
        if nodata_corner:
            row, col = np.mgrid[:height, :width]
            pixels[:, row + 0.6 * col < 0.3 * (height + width)] = 0
        return pixels

    return make


@pytest.fixture
def read() -> Callable[..., NDArray[np.generic]]:
    """Read the first band of a raster."""

    def read_band(path: object) -> NDArray[np.generic]:
        with rasterio.open(path) as source:
            return source.read(1)

    return read_band


@pytest.fixture
def agrees() -> Callable[[NDArray[np.uint8], NDArray[np.float32], ClassTable], None]:
    """Check that a map shows the most probable classes, where two are not as good as equal."""

    def check(
        classes: NDArray[np.uint8], probabilities: NDArray[np.float32], table: ClassTable
    ) -> None:
        expected = np.array(table.values, dtype=np.uint8)[probabilities.argmax(axis=0)]
        best = np.sort(probabilities, axis=0)
        tie = best[-1] - best[-2] < 1e-5
        assert tie.mean() < 0.01
        np.testing.assert_array_equal(classes[~tie], expected[~tie])

    return check


@dataclass
class Constant:
    """Says the same of every pixel and counts the tiles it was shown."""

    probabilities: tuple[float, ...]
    bands: tuple[str, ...] = ("red", "nir")
    classes: ClassTable = CLASSES
    stride: int = 1
    tiles: int = 0

    def __call__(self, image: Tensor, valid: Tensor) -> Tensor:
        self.tiles += len(valid)
        answer = torch.tensor(self.probabilities)[None, :, None, None]
        return answer.expand(len(image), -1, *image.shape[2:]).contiguous()


@pytest.fixture
def constant() -> type[Constant]:
    return Constant
