"""The study's main table for the docs: the smallest share of labels, drawn as patches."""

import pandas as pd

from experiments.few_labels.summary import ROW, differences, groups, table

_NAMES = {
    "bands_linear": "bands and their surroundings, linear",
    "bands_forest": "bands and their surroundings, random forest",
    "untrained": "no pretraining",
    "sscl": "SSCCL",
    "sscl_no_instance": "SSCCL without the instance branch",
    "sscl_no_semantic": "SSCCL without the semantic term",
    "sscl_no_spatial": "SSCCL without the spatial term",
    "byol": "BYOL, SSCCL without the consistency branch",
    "simclr": "SimCLR",
    "moco": "MoCo v2",
    "densecl": "DenseCL",
    "pixpro": "PixPro",
}
_INITS = {"none": "no network", "random": "random", "imagenet": "ImageNet"}
_MODES = {"probe": "probe", "probe_bands": "probe + bands", "finetune": "fine-tuned"}


def main_table(figures: pd.DataFrame, figure: str = "miou") -> str:
    """A line a row of the study, a column a scene and mode: mean ± deviation between label draws.

    Args:
        figures: all figures.
        figure: which figure.
    """
    found = table(_least(figures), figure)
    cases = [(s, m) for s in found["scene"].unique() for m in _MODES if _has(found, s, m)]
    heads = [f"{scene}, {_MODES[mode]}" for scene, mode in cases]
    lines = [
        f"| began as | pretrained by | {' | '.join(heads)} |",
        "|---|---|" + "---|" * len(heads),
    ]
    order = {name: i for i, name in enumerate(_INITS)}
    rows = sorted(groups(found, ROW), key=lambda row: order[row[0][0]])
    for (init, method), part in rows:
        cells = [_cell(part, scene, mode) for scene, mode in cases]
        name = _NAMES.get(method, method)
        lines.append(f"| {_INITS[init]} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def differences_table(figures: pd.DataFrame, method: str = "sscl", figure: str = "miou") -> str:
    """What a method gains over the other rows, with 95 % intervals."""
    found = differences(_least(figures), method, figure)
    cases = [(s, m) for s in found["scene"].unique() for m in _MODES if _has(found, s, m)]
    heads = [f"{scene}, {_MODES[mode]}" for scene, mode in cases]
    lines = [
        f"| {_NAMES.get(method, method)} from | over | {' | '.join(heads)} |",
        "|---|---|" + "---|" * len(heads),
    ]
    for (init, over), part in groups(found, ["init", "over"]):
        cells = []
        for scene, mode in cases:
            one = part[(part["scene"] == scene) & (part["mode"] == mode)]
            shown = [f"{d.mean:+.1f} [{d.low:+.1f}, {d.high:+.1f}]" for d in one.itertuples()]
            cells.append(shown[0] if shown else "")
        lines.append(f"| {_INITS[init]} | {_NAMES.get(over, over)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _least(figures: pd.DataFrame) -> pd.DataFrame:
    least = figures["label_share"].min()
    return figures[(figures["label_share"] == least) & (figures["drawn"] == "patch")]


def _has(frame: pd.DataFrame, scene: str, mode: str) -> bool:
    return bool(((frame["scene"] == scene) & (frame["mode"] == mode)).any())


def _cell(part: pd.DataFrame, scene: str, mode: str) -> str:
    one = part[(part["scene"] == scene) & (part["mode"] == mode)]
    if one.empty:
        return ""
    row = one.iloc[0]
    return f"{row['mean']:.1f} ± {row['label_std']:.1f} ({row['seeds']})"
