"""The bundle: one file with all that is needed to use a trained network.

A bundle is a safetensors file. Its header holds one JSON document with the architecture, the bands
and their statistics, the resolution, the classes and where it all came from; its body holds the
weights. Loading one runs no code from the file.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

import sscl_geo
from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.errors import BandError, BundleError
from sscl_geo.io.atomic import atomic_path

HEADER = "sscl_geo"
FORMAT = 1

Kind = Literal["encoder", "segmenter"]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained network with what is needed to feed it and to read its answers.

    Attributes:
        kind: ``"encoder"`` after pretraining, ``"segmenter"`` after fine-tuning.
        encoder: segmentation-models-pytorch or timm name of the encoder.
        decoder: TorchGeo's name of the segmentation model (``"unet"`` …); None for an encoder.
        bands: names of the input bands, in order.
        mean: mean of each band over valid pixels, in raw units; subtracted from the input.
        std: standard deviation of each band, in raw units; divides the input.
        resolution: lengths of a pixel (along row, along column), in units of the training scene's
            CRS.
        resolution_unit: name of that unit, for example ``"metre"`` or ``"degree"``.
        patch_size: height and width of the patches in training, in pixels.
        classes: what each output means; None for an encoder.
        provenance: free text by topic: scenes, labels, seed, versions, licence.
        state_dict: weights by name.
    """

    kind: Kind
    encoder: str
    decoder: str | None
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resolution: tuple[float, float]
    resolution_unit: str
    patch_size: int
    classes: ClassTable | None
    provenance: dict[str, str] = field(default_factory=dict)
    state_dict: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)

    def check_bands(self, bands: tuple[str, ...], path: str) -> None:
        """Refuse a scene whose number of bands differs from the bundle's.

        Raises:
            BandError: with both counts.
        """
        if len(bands) != len(self.bands):
            raise BandError(
                f"{path} has {len(bands)} bands but the bundle was trained on {len(self.bands)} "
                f"({', '.join(self.bands)}); give a scene with these bands in this order."
            )


def save_bundle(bundle: Bundle, path: str | os.PathLike[str]) -> Path:
    """Write a bundle; the file appears whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    header = {
        "format": FORMAT,
        "version": sscl_geo.__version__,
        "kind": bundle.kind,
        "encoder": bundle.encoder,
        "decoder": bundle.decoder,
        "bands": bundle.bands,
        "mean": bundle.mean,
        "std": bundle.std,
        "resolution": bundle.resolution,
        "resolution_unit": bundle.resolution_unit,
        "patch_size": bundle.patch_size,
        "classes": None
        if bundle.classes is None
        else [{"value": c.value, "name": c.name, "color": c.color} for c in bundle.classes],
        "provenance": bundle.provenance,
    }
    tensors = {name: t.detach().cpu().contiguous() for name, t in bundle.state_dict.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER: json.dumps(header)})
    return Path(path)


def load_bundle(path: str | os.PathLike[str], kind: Kind | None = None) -> Bundle:
    """Read a bundle.

    Args:
        path: a file that :func:`save_bundle` wrote.
        kind: refuse bundles of another kind.

    Raises:
        BundleError: if the file is missing, damaged, not a bundle, or of another kind.
    """
    if not Path(path).is_file():
        raise BundleError(f"There is no bundle {path}; check the path of the model.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            header = json.loads(metadata[HEADER])
            bundle = _from_header(header, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - not a dict
    except KeyError as error:
        raise BundleError(
            f"{path} is not a bundle of sscl-geo ({error} is missing); "
            "give a file that 'pretrain' or 'finetune' wrote."
        ) from error
    except (SafetensorError, ValueError, TypeError, AttributeError, OSError) as error:
        raise BundleError(
            f"{path} is damaged or not a bundle of sscl-geo; copy or train it again ({error})."
        ) from error
    if kind is not None and bundle.kind != kind:
        verb = "finetune" if kind == "segmenter" else "pretrain"
        raise BundleError(
            f"{path} holds {_article(bundle.kind)} but {_article(kind)} is needed; "
            f"give a file that '{verb}' wrote."
        )
    return bundle


def bundle_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a bundle file, as written into the tags of maps."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_header(header: dict[str, object], state_dict: dict[str, torch.Tensor]) -> Bundle:
    found = header["format"]
    if found != FORMAT:
        raise ValueError(f"format {found}, this version reads {FORMAT}")
    classes = header["classes"]
    bundle = Bundle(
        kind=_one_of(header["kind"], ("encoder", "segmenter")),  # ty: ignore[invalid-argument-type]
        encoder=_text(header["encoder"]),
        decoder=None if header["decoder"] is None else _text(header["decoder"]),
        bands=tuple(_text(b) for b in _items(header["bands"])),
        mean=_numbers(header["mean"]),
        std=_numbers(header["std"]),
        resolution=_pair(header["resolution"]),
        resolution_unit=_text(header["resolution_unit"]),
        patch_size=_whole(header["patch_size"]),
        classes=None if classes is None else ClassTable(tuple(map(_class, _items(classes)))),
        provenance={_text(k): _text(v) for k, v in dict(header["provenance"]).items()},  # ty: ignore[no-matching-overload]
        state_dict=state_dict,
    )
    if not len(bundle.bands) == len(bundle.mean) == len(bundle.std):
        raise ValueError("bands, mean and std differ in number")
    if (bundle.kind == "segmenter") != (bundle.classes is not None and bundle.decoder is not None):
        raise ValueError("a segmenter needs classes and a decoder, an encoder has none")
    return bundle


def _class(item: object) -> LandCoverClass:
    if not isinstance(item, dict):
        raise TypeError("a class is not a record")
    red, green, blue = (_whole(v) for v in _items(item["color"]))
    return LandCoverClass(_whole(item["value"]), _text(item["name"]), (red, green, blue))


def _one_of(value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _numbers(value: object) -> tuple[float, ...]:
    items = _items(value)
    if not all(isinstance(v, int | float) for v in items):
        raise TypeError(f"{value!r} is not a list of numbers")
    return tuple(float(v) for v in items)  # ty: ignore[invalid-argument-type]


def _pair(value: object) -> tuple[float, float]:
    first, second = _numbers(value)
    return first, second


def _article(kind: str) -> str:
    return "an encoder" if kind == "encoder" else "a segmenter"
