"""Tables for the docs hold each mean once, in the column of its share."""

import pandas as pd

from experiments.few_labels.markdown import differences_table, main_table, shares_table


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
        ["50.0", "", "", " |"],
        ["15.0", "25.0", "30.0", "40.0 |"],
    ]


def test_each_scene_has_a_table_of_its_own_with_the_modes_it_has() -> None:
    figures = pd.DataFrame(
        [
            figure("byol", "patch", 0.01, 0.1),
            figure("byol", "patch", 0.01, 0.3, seed=1),
            figure("byol", "patch", 0.01, 0.5) | {"scene": "other", "mode": "finetune"},
        ]
    )
    first, second = (part.splitlines() for part in main_table(figures).split("\n\n"))
    assert first[0].startswith("| made: began as | pretrained by | ")
    assert first[2].endswith("| 20.0&nbsp;±&nbsp;14.1&nbsp;(1) |")
    assert second[0] == "| other: began as | pretrained by | fine-tuned |"
    assert len(first) == len(second) == 3


def test_gains_stand_with_their_intervals() -> None:
    rows = [
        figure(method, "patch", 0.01, value + 0.01 * seed, seed=seed)
        for method, value in (("byol", 0.2), ("sscl", 0.3))
        for seed in range(4)
    ]
    heads, _, line = differences_table(pd.DataFrame(rows), ["sscl"]).splitlines()
    assert heads == "| made: of | over | probe |"
    assert line.startswith(
        "| SSCCL, from random | BYOL (no consistency branch) | +10.0&nbsp;[+10.0,"
    )
