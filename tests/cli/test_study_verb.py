import numpy as np
import pytest
from PIL import Image

from sscl_geo.cli.main import main
from sscl_geo.cli.study import study
from sscl_geo.studies import StudyOptions


@pytest.fixture
def loveda(tmp_path):
    rng = np.random.default_rng(0)
    for number, part in enumerate(["Train"] * 4 + ["Val"]):
        for folder, shape, high in (("images_png", (64, 64, 3), 255), ("masks_png", (64, 64), 8)):
            path = tmp_path / "data" / part / "Rural" / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, high, shape, dtype=np.uint8)).save(path)
    return tmp_path / "data"


def test_a_study_runs_from_the_command_line(loveda, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["study", "loveda", "--data", str(loveda), "--out", str(out), "--quick"]
    words += ["--rows", "random", "--patch-size", "32", "--label-share", "0.2"]
    words += ["--val-share", "0.2", "--accelerator", "cpu"]
    assert main(words) == 0
    assert "random-s0: mIoU" in capsys.readouterr().out
    assert (out / "results.md").is_file()
    assert (out / "config.yaml").is_file()


def test_without_the_data_one_sentence_says_where_it_is_published(tmp_path, capsys):
    assert main(["study", "potsdam", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "2D Semantic Labeling Contest - Potsdam" in told
    assert len(told.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_defaults_of_the_verb_are_those_of_the_study():
    options = StudyOptions()
    given = study.__kwdefaults__
    shared = set(given) & set(StudyOptions.__dataclass_fields__)
    assert len(shared) > 20
    assert all(given[name] == getattr(options, name) for name in shared)
