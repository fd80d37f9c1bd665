"""What a map depends on, as one hash: whether a run may go on from another."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

import sscl_geo
from sscl_geo.io.fingerprint import fingerprint
from sscl_geo.io.scene import Scene


def run_hash(scene: Scene, network: object, settings: Mapping[str, object]) -> str | None:
    """Hash of all that the pixels of a map depend on.

    The scene counts by its description and by size and time of all files that it is read from, the
    network by its structure and all its
    numbers. Settings that leave the pixels alone, such as the size of a batch, are not to be given.

    Args:
        scene: what is segmented.
        network: what segments it.
        settings: the rest, as JSON can hold it.

    Returns:
        64 hexadecimal digits; None where the network is no PyTorch module, which cannot be told
        from another.
    """
    if not isinstance(network, nn.Module):
        return None
    path = Path(scene.path)
    found = replace(scene, path=str(path.absolute())) if path.is_file() else scene
    told = {
        "version": sscl_geo.__version__,
        "scene": fingerprint(found),
        "network": _fingerprint(network),
        "settings": settings,
    }
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
