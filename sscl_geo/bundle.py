"""The bundle: one file with all that is needed to use a trained network.

A bundle is a safetensors file. Its header holds one JSON document with the architecture, the bands
and their statistics, the resolution, the classes, the licence and where it all came from, and the
same once more in the words of STAC's Machine Learning Model extension, for other programs; its body
holds the weights. Loading one runs no code from the file, and whatever is odd in it is refused in a
sentence.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

import sscl_geo
from sscl_geo import bundle_header as checked
from sscl_geo.classes import ClassTable
from sscl_geo.decision import Decision
from sscl_geo.errors import BandError, BundleError, ConfigError, LabelError
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.units import BandUnits
from sscl_geo.mlm import mlm_properties

HEADER = "sscl_geo"
"""Key of the document in the file's metadata."""

MLM_HEADER = "stac_mlm"
"""Key of :func:`~sscl_geo.mlm.mlm_properties` in the metadata; written for others, never read."""

FORMAT = 1

DECISION_FORMAT = 2
"""Format of bundles that are not decided by the most probable class: versions that know format 1
alone would decide them wrongly, and refuse them."""

Kind = Literal["encoder", "segmenter"]

_BESIDE = ("decoder.", "pixel_factors.")
_DAMAGES = (
    *(SafetensorError, LabelError, ConfigError, ValueError, TypeError),
    *(OSError, RuntimeError, OverflowError),
)
"""What safetensors, PyTorch and the checks here raise about a file that is not as it should be."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained network with what is needed to feed it and to read its answers.

    Attributes:
        kind: ``"encoder"`` after pretraining, ``"segmenter"`` after fine-tuning.
        encoder: segmentation-models-pytorch or timm name of the encoder.
        decoder: TorchGeo's name of the segmentation model (``"unet"`` …); None where there is none.
        bands: names of the input bands, in order.
        mean: mean of each band over valid pixels, in raw units; subtracted from the input.
        std: standard deviation of each band, in raw units; divides the input.
        resolution: lengths of a pixel (along row, along column), in units of the training scene's
            CRS.
        resolution_unit: name of that unit, for example ``"metre"`` or ``"degree"``.
        patch_size: height and width of the patches in training, in pixels.
        classes: what each output means; None for an encoder. Of a binary model, whose one output
            is the probability of the second, there are two.
        provenance: free text by topic: scenes, labels, seed, versions.
        license: what others may do with the weights: an SPDX identifier such as ``CC-BY-4.0``, or
            empty if nothing is said.
        state_dict: weights by name, all finite.
        decision: how classes are decided from the outputs.
        units: units of the scenes that it was trained on, in which ``mean`` and ``std`` are; None
            if not known, so that any scene is taken as it is.

    Raises:
        ConfigError: if the decision does not fit the number of classes.
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
    license: str = ""
    state_dict: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)
    decision: Decision = field(default_factory=Decision)
    units: BandUnits | None = None

    def __post_init__(self) -> None:
        if self.classes is not None:
            self.decision.check(len(self.classes))

    @property
    def encoder_weights(self) -> dict[str, torch.Tensor]:
        """Weights of the encoder alone, by its own names."""
        if self.kind == "encoder":
            return {k: v for k, v in self.state_dict.items() if not k.startswith(_BESIDE)}
        return _under("encoder.", self.state_dict)

    @property
    def decoder_weights(self) -> dict[str, torch.Tensor]:
        """Weights of the decoder alone, by its own names; none where it was not trained."""
        return _under("decoder.", self.state_dict)

    @property
    def pixel_factor_weights(self) -> dict[str, torch.Tensor]:
        """Weights of the pixel factors, by their own names; none where not learned."""
        return _under("pixel_factors.", self.state_dict)

    @property
    def pixel_factors(self) -> int:
        """Number of pixel factors."""
        axes = self.state_dict.get("pixel_factors.axes")
        return 0 if axes is None or not axes.ndim else len(axes)

    def in_units(self, units: BandUnits, path: str) -> "Bundle":
        """The bundle for scenes in other units: the same but for ``mean``, ``std`` and ``units``.

        Args:
            units: those of the scene's bands, in the order of ``bands``.
            path: the scene, for messages.

        Raises:
            UnitsError: if it is not told how the units compare.
        """
        if self.units is None:
            return self
        mean, std = self.units.statistics_in(units, self.mean, self.std, path)
        return replace(self, mean=mean, std=std, units=units)

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


def _under(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def save_bundle(bundle: Bundle, path: str | os.PathLike[str]) -> Path:
    """Write a bundle; the file appears whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    header = {
        "format": FORMAT if bundle.decision == Decision() else DECISION_FORMAT,
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
        "license": bundle.license,
    }
    if bundle.units is not None:
        header["units"] = asdict(bundle.units)
    if bundle.decision != Decision():
        decision = bundle.decision
        header["decision"] = {"task": decision.task, "thresholds": decision.thresholds}
    metadata = {HEADER: json.dumps(header), MLM_HEADER: json.dumps(mlm_properties(bundle))}
    tensors = {name: t.detach().cpu().contiguous() for name, t in bundle.state_dict.items()}
    with atomic_path(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(tensors, temporary, metadata=metadata)
        temporary.chmod(mode)  # safetensors leaves files that only their owner can read
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
            header = checked.parse_json(metadata[HEADER])
            bundle = _from_header(header, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - not a dict
    except KeyError as error:
        raise BundleError(
            f"{path} is not a bundle of sscl-geo ({error} is missing); "
            "give a file that 'pretrain' or 'finetune' wrote."
        ) from error
    except _DAMAGES as error:
        reason = " ".join(str(error).split())
        raise BundleError(
            f"{path} is damaged or not a bundle of sscl-geo; copy or train it again ({reason})."
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


def _from_header(header: dict[str, Any], state_dict: dict[str, torch.Tensor]) -> Bundle:
    found = header["format"]
    if found not in (FORMAT, DECISION_FORMAT):
        raise ValueError(f"format {found!r:.20}, this version reads {FORMAT}, {DECISION_FORMAT}")
    classes, decoder = header["classes"], header["decoder"]
    bundle = Bundle(
        kind=_kind(header["kind"]),
        encoder=checked.name(header["encoder"]),
        decoder=None if decoder is None else checked.name(decoder),
        bands=checked.bands(header["bands"]),
        mean=checked.numbers(header["mean"]),
        std=checked.positive_numbers(header["std"], zero=True),
        resolution=checked.pair(checked.positive_numbers(header["resolution"])),
        resolution_unit=checked.text(header["resolution_unit"]),
        patch_size=checked.patch_size(header["patch_size"]),
        classes=None if classes is None else checked.class_table(classes),
        provenance={
            checked.text(topic): checked.text(told)
            for topic, told in checked.record(header["provenance"]).items()
        },
        license=checked.text(header.get("license", "")),
        state_dict=state_dict,
        decision=Decision() if found == FORMAT else checked.decision(header["decision"]),
        units=None if header.get("units") is None else checked.units(header["units"]),
    )
    if not len(bundle.bands) == len(bundle.mean) == len(bundle.std):
        raise ValueError("bands, mean and std differ in number")
    units = bundle.units
    if units is not None and not len(bundle.bands) == len(units.scale) == len(units.offset):
        raise ValueError("bands, scale and offset differ in number")
    if (bundle.kind == "segmenter") != (bundle.classes is not None and bundle.decoder is not None):
        raise ValueError("a segmenter needs classes and a decoder, an encoder has none")
    for name, tensor in state_dict.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"the weights {name!r:.80} are not all finite")
    return bundle


def _kind(value: object) -> Kind:
    for kind in get_args(Kind):
        if value == kind:
            return kind
    raise ValueError(f"{value!r:.40} is neither an encoder nor a segmenter")


def _article(kind: str) -> str:
    return "an encoder" if kind == "encoder" else "a segmenter"
