"""Tables for the docs hold each mean once, in the column of its share."""

import pandas as pd

from experiments.few_labels.markdown import shares_table


def figure(method: str, drawn: str, share: float, miou: float, seed: int = 0) -> dict[str, object]:
    row = {"scene": "made", "mode": "probe", "init": "random", "method": method, "drawn": drawn}
    return row | {"label_share": share, "label_seed": seed, "seed": 0, "miou": miou}


def test_shares_stand_in_order_and_all_labels_once() -> None:
    figures = pd.DataFrame(
        [
            figure("byol", "pixel", 0.01, 0.3),
            figure("byol", "patch", 0.1, 0.25),
            figure("byol", "patch", 0.01, 0.1, seed=0),
            figure("byol", "patch", 0.01, 0.2, seed=1),
            figure("byol", "patch", 1.0, 0.4),
            figure("byol", "pixel", 1.0, 0.4),
            figure("sscl", "patch", 0.01, 0.5),
        ]
    )
    heads, _, *lines = shares_table(figures).splitlines()
    assert heads.split(" | ")[2:] == ["patch, 1%", "patch, 10%", "pixel, 1%", "all labels |"]
    assert [line.split(" | ")[2:] for line in lines] == [
        ["15.0", "25.0", "30.0", "40.0 |"],
        ["50.0", "", "", " |"],
    ]
