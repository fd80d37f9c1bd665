import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest

from experiments.few_labels.__main__ import main
from experiments.few_labels.config import StudyConfig
from sscl_geo.errors import ConfigError


@pytest.fixture
def study(monkeypatch, tmp_path):
    def run(config, *words):
        folders = ["--data", str(tmp_path), "--work", str(tmp_path / "w")]
        argv = ["study", str(config), *folders, "--out", str(tmp_path / "out"), *words]
        monkeypatch.setattr(sys, "argv", argv)
        main()
        return pd.read_csv(tmp_path / "out" / "few_labels.csv")

    return run


@pytest.mark.slow
def test_a_study_writes_each_row_and_a_picture(study, write_config, tmp_path):
    found = study(write_config())
    rows = set(zip(found["init"], found["method"], found["mode"], strict=True))
    assert rows == {
        ("none", "bands_linear", "probe"),
        ("none", "bands_forest", "probe"),
        ("none", "factors_linear", "probe"),
        ("random", "untrained", "probe"),
        ("random", "untrained", "probe_bands"),
        ("random", "untrained", "probe_factors"),
        ("random", "sscl", "probe"),
        ("random", "sscl", "probe_bands"),
        ("random", "sscl", "probe_factors"),
    }
    # Two draws of a fifth of the labels and one of all, as patches and as pixels.
    assert len(found) == 9 * 2 * 3
    assert (tmp_path / "out" / "few_labels.png").stat().st_size > 10_000
    # Colours tell these classes apart, so that the simplest row must be good.
    best = found[(found["method"] == "bands_linear") & (found["label_share"] == 1)]
    assert best["miou"].min() > 0.9


def test_a_study_goes_on_where_it_was(study, write_config, tmp_path):
    config = write_config()
    first = study(config, "--only", "bands_linear")
    assert set(first["method"]) == {"bands_linear"}
    unit = next((tmp_path / "w" / "units").glob("*.csv"))
    before = unit.stat().st_mtime_ns
    assert set(study(config, "--only", "bands_linear", "untrained")["method"]) == {
        "bands_linear",
        "untrained",
    }
    assert unit.stat().st_mtime_ns == before


def test_what_is_asked_for_later_is_put_beside_what_is_there(study, write_config):
    only = ("--only", "bands_linear")
    before = study(write_config(), *only)
    after = study(write_config(label_seeds=3, shares=[0.2, 0.5, 1.0]), *only)
    assert len(before) == 2 * (2 + 1)
    assert len(after) == 2 * (3 + 3 + 1)
    keys = ["drawn", "label_share", "label_seed", "mode"]
    assert not after.duplicated(keys).any()
    both = before.merge(after, on=[*keys, "miou", "seconds"])  # not measured again
    assert len(both) == len(before)


def test_a_scene_can_have_more_draws_of_its_smallest_share(write_config):
    config = StudyConfig.read(write_config(shares=[0.5, 0.2, 1.0], drawn=["patch"]))
    row = config.rows()[0]
    scene = replace(config.scenes[0], least_draws=4)
    counts = Counter(case.share for case in config.probes(row, scene))
    assert counts == {0.2: 4, 0.5: 2, 1.0: 1}
    assert Counter(case.share for case in config.probes(row, config.scenes[0]))[0.2] == 2


def test_a_method_can_be_fine_tuned_without_being_probed(write_config):
    finetune = {"rows": ["sscl/random"], "label_seeds": 2, "seeds": 1}
    config = StudyConfig.read(write_config(finetuned_only=["sscl"], finetune=finetune))
    row = next(row for row in config.rows() if row.method == "sscl")
    assert config.probes(row, config.scenes[0]) == []
    assert len(config.finetunings(row)) == 2


def test_shards_do_all_rows_between_them(study, write_config, tmp_path):
    config = write_config()
    only = ["--only", "bands_linear", "bands_forest", "untrained"]
    study(config, "--shard", "1/2", *only)
    assert len(list((tmp_path / "w" / "units").glob("*.csv"))) == 2


@pytest.mark.parametrize("shard", ["0/2", "3/2", "x"])
def test_an_impossible_shard_is_refused(study, write_config, shard):
    with pytest.raises(ConfigError, match="no part"):
        study(write_config(), "--shard", shard)


def test_an_unknown_key_is_named(write_config):
    with pytest.raises(ConfigError, match="unknown key stepps"):
        StudyConfig.read(write_config(stepps=3))


def test_a_missing_config_ends_in_a_sentence(tmp_path):
    command = [sys.executable, "-m", "experiments.few_labels", str(tmp_path / "none.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.strip().startswith("few_labels: There is no config")
