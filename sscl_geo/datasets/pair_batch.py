"""Batches of pairs that lie together in memory."""

from collections.abc import Sequence

from torchgeo.datasets import stack_samples
from torchgeo.datasets.utils import Sample


class PairBatch(Sequence[Sample]):
    """Samples of a batch that lie together in memory.

    Attributes:
        stacked: the batch, with a leading dimension for the samples.
    """

    def __init__(self, stacked: Sample) -> None:
        self.stacked = stacked

    def __len__(self) -> int:
        return len(self.stacked["image"])

    def __getitem__(self, place: int) -> Sample:  # ty: ignore[incompatible-method-override] - no slices
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return {key: value[place] for key, value in self.stacked.items()}


def collate_pairs(samples: Sequence[Sample]) -> Sample:
    """Stack samples as TorchGeo's ``stack_samples`` does; a batch that is stacked is not copied."""
    return samples.stacked if isinstance(samples, PairBatch) else stack_samples(samples)
