"""Private names of other libraries, all in one place, so that an upgrade has one place to look."""

from math import prod

import torch
from torch import Tensor
from torchgeo.datasets import RasterDataset


def empty_shared(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """:func:`torch.empty` in memory that other processes can map.

    ``Tensor.share_memory_`` copies; PyTorch's own collate function allocates like this.
    """
    storage = torch.UntypedStorage._new_shared(prod(shape) * dtype.itemsize)  # noqa: SLF001
    return torch.empty(0, dtype=dtype).set_(storage).view(shape)


def band_files(dataset: RasterDataset, path: str) -> list[str]:
    """Files that TorchGeo reads for an entry of an index: the entry's, or one for each band."""
    if not dataset.separate_files:
        return [path]
    return [dataset._update_filepath(band, path) for band in dataset.bands]  # noqa: SLF001
