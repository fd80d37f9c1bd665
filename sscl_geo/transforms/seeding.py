"""Randomness that is a function of where a training is, not of how it got there."""

import random

import numpy as np
import torch


def seed_all(*key: int) -> None:
    """Seed Python's, NumPy's and PyTorch's generators, those of all devices, by several numbers.

    Seeding each batch by (seed, rank, number of the batch) makes a resumed training draw what an
    unbroken one would, on any device, without a generator's state in the checkpoint; and ranks
    draw apart. Nothing waits for a device.

    Args:
        key: whole numbers, none negative; other numbers give an unrelated stream.

    Example:
        >>> import torch
        >>> from sscl_geo.transforms.seeding import seed_all
        >>> seed_all(0, 1)
        >>> first = torch.rand(2)
        >>> seed_all(0, 1)
        >>> bool((torch.rand(2) == first).all())
        True
    """
    words = np.random.SeedSequence(key).generate_state(4, np.uint32)
    random.seed(int(words[0]))
    np.random.seed(words[1])  # noqa: NPY002 - libraries that we call draw from it
    torch.manual_seed(int(words[2]) << 31 | int(words[3]) >> 1)
