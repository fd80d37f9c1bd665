"""A bundle in the words of STAC's Machine Learning Model extension (MLM).

Plain dictionaries, ready for JSON: pystac is not needed to say what a model is. The extension is at
https://github.com/stac-extensions/mlm, version 1.5; classes are those of the classification
extension.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sscl_geo.classes import ClassTable
from sscl_geo.io.stac_writing import asset, stac_item, write_json

if TYPE_CHECKING:
    from sscl_geo.bundle import Bundle

MLM_SCHEMA: Final = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"

_SAFETENSORS: Final = "safetensors.torch.save_file"
_ARTIFACTS: Final = {".pt2": "torch.export.save", ".onnx": "torch.onnx.export"}
_NOTHING: Final[Mapping[str, Path]] = MappingProxyType({})
_ARCHITECTURES: Final = {
    "unet": "U-Net",
    "deeplabv3+": "DeepLabV3+",
    "upernet": "UPerNet",
    "segformer": "SegFormer",
}
_SEMANTIC_VERSION: Final = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.-]+)?")
_KEY: Final = re.compile(r"[0-9a-zA-Z_.-]+")
_NOT_TRAINED: Final = ("running_mean", "running_var", "num_batches_tracked")


def mlm_properties(bundle: "Bundle") -> dict[str, Any]:
    """Properties of a STAC item that describe a bundle.

    Args:
        bundle: an encoder or a segmenter.

    Returns:
        ``mlm:*`` fields, ``bands`` with their statistics in raw units, and, where they are known,
        ``gsd`` in metres and ``license``.

    Example:
        >>> from sscl_geo import load_bundle
        >>> from sscl_geo.mlm import mlm_properties
        >>> properties = mlm_properties(load_bundle(model_path))
        >>> properties["mlm:name"], properties["mlm:tasks"]
        ('sscl-geo unet resnet18', ['semantic-segmentation'])
    """
    tasks = [] if bundle.classes is None else ["semantic-segmentation"]
    stored = {} if bundle.units is None else {"data_type": bundle.units.dtype}
    parts = [part for part in (bundle.decoder, bundle.encoder) if part is not None]
    properties: dict[str, Any] = {
        "mlm:name": " ".join(["sscl-geo", *parts]).replace("+", "plus"),
        "mlm:architecture": _ARCHITECTURES.get(parts[0], parts[0]),
        "mlm:tasks": tasks,
        "mlm:framework": "PyTorch",
        "mlm:total_parameters": sum(
            tensor.numel()
            for name, tensor in bundle.state_dict.items()
            if not name.endswith(_NOT_TRAINED)
        ),
        **_pretraining(bundle),
        "mlm:input": [_input(bundle)],
        "mlm:output": [_output(bundle, tasks)],
        "mlm:hyperparameters": _hyperparameters(bundle),
        "bands": [
            {"name": name, **stored, "statistics": {"mean": mean, "stddev": std}}
            for name, mean, std in zip(bundle.bands, bundle.mean, bundle.std, strict=True)
        ],
    }
    if _SEMANTIC_VERSION.fullmatch(bundle.provenance.get("torch", "")):
        properties["mlm:framework_version"] = bundle.provenance["torch"]
    if bundle.resolution_unit in {"metre", "meter", "m"}:
        properties["gsd"] = max(bundle.resolution)
    if bundle.license:
        properties["license"] = bundle.license
    return properties


def write_model_item(
    bundle: "Bundle", model: Path, path: Path, exports: Mapping[str, Path] = _NOTHING
) -> Path:
    """Write a STAC item that describes a model.

    It has no geometry: a bundle does not say where on the globe it may be used.

    Args:
        bundle: the model.
        model: its file.
        path: the item to write; ``NAME.mlm.json`` is what catalogues look for.
        exports: further files of the same model by a key for each: ``.onnx``, ``.pt2``.

    Raises:
        OutputError: if it cannot be written.
    """
    properties = mlm_properties(bundle)
    assets = {
        key: asset(
            file,
            path,
            ["mlm:model"],
            **{"mlm:artifact_type": _ARTIFACTS.get(file.suffix.lower(), _SAFETENSORS)},
        )
        for key, file in {"model": model, **exports}.items()
    }
    # MLM wants bands in the properties; STAC's core allows that only if an asset has some too.
    assets["model"]["bands"] = properties["bands"]
    item = stac_item(
        model.stem,
        moment=datetime.fromtimestamp(model.stat().st_mtime, UTC),
        properties=properties,
        assets=assets,
        extensions=(MLM_SCHEMA,),
    )
    return write_json(item, path)


def classification_classes(classes: ClassTable) -> list[dict[str, Any]]:
    """Classes as STAC's classification extension lists them, version 1.1, which MLM refers to.

    Its ``name`` is for programs, letters, digits, ``-`` and ``_`` only; what a legend shows is in
    ``description``.
    """
    records: list[dict[str, Any]] = []
    taken: set[str] = set()
    for item in classes:
        name = re.sub(r"[^0-9A-Za-z_-]+", "-", item.name).strip("-")
        if not name or name in taken:
            name = f"{name or 'class'}-{item.value}"
        taken.add(name)
        records.append(
            {
                "value": item.value,
                "name": name,
                "description": item.name or name,
                "color_hint": item.hex_color[1:].upper(),
            }
        )
    return records


def _input(bundle: "Bundle") -> dict[str, Any]:
    size = bundle.patch_size
    return {
        "name": "image",
        "bands": list(bundle.bands),
        "input": {
            "shape": [-1, len(bundle.bands), size, size],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        # A constant band is only centred.
        "value_scaling": [
            {"type": "z-score", "mean": mean, "stddev": std or 1.0}
            for mean, std in zip(bundle.mean, bundle.std, strict=True)
        ],
        "resize_type": None,
    }


def _output(bundle: "Bundle", tasks: list[str]) -> dict[str, Any]:
    size = bundle.patch_size
    if bundle.classes is None:
        shape, order = [-1, -1, -1, -1], ["batch", "embedding", "height", "width"]
    else:
        shape = [-1, bundle.decision.outputs(len(bundle.classes)), size, size]
        order = ["batch", "class", "height", "width"]
    return {
        "name": "features" if bundle.classes is None else "probabilities",
        **({} if bundle.classes is None else {"description": _decided(bundle)}),
        "tasks": tasks,
        "result": {"shape": shape, "dim_order": order, "data_type": "float32"},
        "classification:classes": []
        if bundle.classes is None
        else classification_classes(bundle.classes),
    }


def _decided(bundle: "Bundle") -> str:
    """How classes are decided, for who runs the model without this package."""
    task, names = bundle.decision.task, () if bundle.classes is None else bundle.classes.names
    thresholds = bundle.decision.thresholds_of(len(names))
    if task == "multiclass":
        return "Softmax over the classes; the class of a pixel is the most probable one."
    if task == "binary":
        return (
            f"Sigmoid of one output; a pixel is {names[1]} from {thresholds[0]:g}, else {names[0]}."
        )
    each = ", ".join(f"{name} from {t:g}" for name, t in zip(names, thresholds, strict=True))
    return f"Sigmoid of each output; a pixel may have several classes: {each}."


def _pretraining(bundle: "Bundle") -> dict[str, Any]:
    """Where the encoder's weights came from before the last training."""
    start = bundle.provenance.get("encoder" if bundle.kind == "segmenter" else "start")
    if start is None:
        return {}
    if start == "random":
        return {"mlm:pretrained": False, "mlm:pretrained_source": None}
    scenes = bundle.provenance.get("encoder_scenes")
    return {"mlm:pretrained": True, "mlm:pretrained_source": scenes or start}


def _hyperparameters(bundle: "Bundle") -> dict[str, Any]:
    named = {k: v for k, v in bundle.provenance.items() if _KEY.fullmatch(k)}
    built: dict[str, Any] = {"encoder_name": bundle.encoder, "patch_size": bundle.patch_size}
    if bundle.decoder is not None:
        built |= {"decoder_name": bundle.decoder, "task": bundle.decision.task}
        if bundle.decision.thresholds:
            built["thresholds"] = list(bundle.decision.thresholds)
    return named | built
