"""``sscl-geo export``: a model in the formats of other programs."""

from pathlib import Path


def export(model: Path, *, out: Path, tile: int | None = None) -> Path:
    """Write a model for other programs: ONNX (with metadata for QGIS's Deepness), PT2, STAC.

    Args:
        model: bundle that 'finetune' wrote.
        out: file to write, its kind by its ending: .onnx, .pt2, or .json for a STAC item of the
            machine learning model extension, which lists the .onnx and .pt2 beside it too.
        tile: height and width of the ONNX model's input, in pixels; the patch size of the training
            if not given.

    Returns:
        the file.
    """
    from rich.console import Console

    from sscl_geo.bundle import load_bundle
    from sscl_geo.errors import ConfigError
    from sscl_geo.export.onnx import export_onnx
    from sscl_geo.export.pt2 import export_pt2
    from sscl_geo.mlm import write_model_item

    kind = out.suffix.lower()
    if kind not in {".onnx", ".pt2", ".json"}:
        raise ConfigError(f"{out.name} ends in none of .onnx, .pt2, .json; name it after its kind.")
    if tile is not None and kind != ".onnx":
        raise ConfigError(f"--tile is for ONNX, but {out.name} takes tiles of any size; leave it.")
    if kind == ".json":
        exports = {s: p for s in ("onnx", "pt2") if (p := model.with_suffix(f".{s}")).is_file()}
        write_model_item(load_bundle(model), model, out, exports)
    elif kind == ".onnx":
        export_onnx(load_bundle(model, kind="segmenter"), out, tile)
    else:
        export_pt2(load_bundle(model, kind="segmenter"), out)
    Console(soft_wrap=True, highlight=False).print("export", out, markup=False)
    return out
