"""Weights from files and from TorchGeo, fitted to an encoder."""

from collections import Counter
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor, nn

from sscl_geo.errors import ConfigError

_SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


def is_elsewhere(weights: str) -> bool:
    """True if weights are a file or TorchGeo's, not a name of segmentation-models-pytorch."""
    return "_Weights." in weights or weights.endswith(_SUFFIXES)


def read_weights(weights: str) -> dict[str, Tensor]:
    """Read a state dict.

    Args:
        weights: a file (.pth, .pt, .ckpt, .safetensors; an encoder's bundle is one), read without
            running code from it, or the full name of weights in TorchGeo, such as
            ``"ResNet50_Weights.SENTINEL2_ALL_MOCO"``, which are fetched.

    Raises:
        ConfigError: if there is no such file or name, or it cannot be read.
    """
    if weights.endswith(_SUFFIXES):
        return _read_file(Path(weights))
    from torchgeo.models import get_weight

    try:
        return dict(get_weight(weights).get_state_dict(progress=False, weights_only=True))
    except ValueError as error:
        raise ConfigError(
            f"TorchGeo has no weights {weights!r}; give a full name of its list of pretrained "
            "weights, such as ResNet50_Weights.SENTINEL2_ALL_MOCO."
        ) from error
    except (URLError, OSError) as error:
        raise ConfigError(
            f"The weights {weights} could not be fetched ({error}); check the network, or download "
            "them and give the file."
        ) from error


def fit_weights(encoder: nn.Module, state: dict[str, Tensor], weights: str) -> None:
    """Put weights into an encoder, whatever prefix they carry.

    A first layer for three bands is inflated to the encoder's number of bands by repeating it, as
    timm does.

    Args:
        encoder: to be filled; parameters and buffers change in place.
        state: weights by name.
        weights: their name, for messages.

    Raises:
        ConfigError: if they are those of another encoder, or of another number of bands.
    """
    wanted = encoder.state_dict()
    found = _strip(state, wanted)
    missing = [name for name in wanted if name not in found and "num_batches" not in name]
    if missing:
        raise ConfigError(
            f"The weights {weights} are not those of this encoder: {len(missing)} of its "
            f"{len(wanted)} tensors are missing, such as {missing[0]}; choose the encoder that "
            "they were trained with."
        )
    first = next(name for name, value in wanted.items() if value.ndim == 4)
    has, needs = found[first].shape[1], wanted[first].shape[1]
    if has != needs:
        if has != 3:
            raise ConfigError(
                f"The weights {weights} take {has} bands but the scenes have {needs}, and which of "
                "them belong together is not known; choose the same bands, or RGB weights, which "
                "are inflated."
            )
        found[first] = adapt_input_conv(needs, found[first])
    try:
        encoder.load_state_dict(found, strict=False)
    except RuntimeError as error:
        raise ConfigError(
            f"The weights {weights} do not fit this encoder ({str(error).splitlines()[-1].strip()})"
            "; choose the encoder that they were trained with."
        ) from error


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ConfigError(f"There is no file of weights {path}; check the path.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, ValueError, OSError, EOFError) as error:
        raise ConfigError(
            f"{path} is damaged, or holds more than weights, and is not read for safety; save the "
            "network's state_dict() again."
        ) from error
    return _tensors(content, path)


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    """The state dict in a checkpoint: the content itself, or what its usual keys hold."""
    while isinstance(content, dict):
        tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if tensors:
            return tensors
        content = next(
            (content[k] for k in ("state_dict", "model", "teacher", "encoder") if k in content),
            None,
        )
    raise ConfigError(f"{path} holds no state dict; save the network's state_dict() there.")


def _strip(state: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights to the wanted names, by the prefixes under which most of them are found."""
    # timm's encoders lie under "model." within segmentation-models-pytorch.
    plain = {name.removeprefix("model."): name for name in wanted}
    votes: Counter[tuple[str, str]] = Counter()
    for name in state:
        parts = name.split(".")
        for i in range(len(parts)):
            tail, prefix = ".".join(parts[i:]), ".".join(parts[:i])
            if tail in wanted:
                votes[prefix, ""] += 1
            elif tail in plain:
                votes[prefix, "model."] += 1
    if not votes:
        return {}
    (prefix, inner), _ = votes.most_common(1)[0]
    start = f"{prefix}." if prefix else ""
    renamed = {inner + k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
    return {name: value for name, value in renamed.items() if name in wanted}
