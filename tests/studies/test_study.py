"""Whole studies on small copies."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch

from sscl_geo.bundle import load_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import ConfigError, SkippedRowWarning
from sscl_geo.evaluation import BoundaryCounts, Evaluation
from sscl_geo.io.units import BandUnits
from sscl_geo.models.encoders import build_encoder
from sscl_geo.models.predictor import build_predictor
from sscl_geo.studies import DATASETS, StudyOptions, find_tiles, run_study, runner
from sscl_geo.studies.georeferencing import write_scenes
from sscl_geo.studies.options import Machine
from sscl_geo.studies.patch_grid import PatchGrid
from sscl_geo.studies.potsdam import POTSDAM
from sscl_geo.studies.records import check_same
from sscl_geo.studies.results import read_runs, runs_table, summary, write_run
from sscl_geo.studies.testing import evaluate_tiles

CPU = Machine(accelerator="cpu", precision="32-true")
QUICK = StudyOptions(
    rows=("random", "byol"),
    label_share=0.04,
    val_share=0.04,
    patch_size=64,
    batch_size=4,
    pretrain_patch=32,
).quick()


@pytest.fixture(scope="session")
def study(potsdam, tmp_path_factory):
    """A finished study, its folder, and what it said."""
    folder, said = tmp_path_factory.mktemp("study"), []
    table = run_study(POTSDAM, potsdam, folder, QUICK, CPU, said.append)
    return table, folder, said


def test_each_row_has_its_figures(study):
    table, _, said = study
    assert table["row"].tolist() == ["byol", "random"]
    assert table[["oa", "miou", "mf1"]].apply(lambda c: c.between(0, 1)).all(axis=None)
    assert table["kappa"].between(-1, 1).all()
    assert table["labelled_patches"].tolist() == [4, 4]
    assert [line.split(":")[0] for line in said] == ["random-s0", "byol-p0-s0"]


def test_tables_say_what_was_done(study):
    _, folder, _ = study
    written = pd.read_csv(folder / "results.csv")
    assert written["pretrain_seed"].isna().tolist() == [False, True]
    assert set(written["labels"]) == {"all"}
    assert set(written["drawn"]) == {"drawn at random"}
    classes = pd.read_csv(folder / "per_class.csv")
    assert len(classes) == 2 * 6
    report = (folder / "results.md").read_text()
    assert "tested on 1 tiles with\nall. Classes: Impervious surfaces" in report
    assert [line.split("|")[1].strip() for line in report.splitlines()[-2:]] == ["random", "byol"]


def test_patches_are_written_down_with_their_places(study):
    patches = pd.read_csv(study[1] / "patches.csv")
    assert patches["use"].value_counts().to_dict() == {"labelled": 4, "validation": 4}
    assert set(patches["tile"]) <= set(POTSDAM.sources[0].names)
    grid = PatchGrid((96, 128), 64)
    for _, line in patches.iterrows():
        assert grid.origin(line["number"]) == (line["row"], line["column"])


def test_what_is_done_is_not_done_again(study, potsdam):
    _, folder, _ = study
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")}
    said = []
    run_study(POTSDAM, potsdam, folder, QUICK, CPU, said.append)
    assert said == []
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")} == times


def test_a_run_that_was_trained_is_only_tested(study, potsdam, monkeypatch):
    _, folder, _ = study
    result = folder / "runs/random-s0.json"
    before = json.loads(result.read_text())
    result.unlink()
    monkeypatch.delattr(runner, "train_segmenter")
    run_study(POTSDAM, potsdam, folder, QUICK, CPU)
    after = json.loads(result.read_text())
    assert {**after, "seconds": 0} == {**before, "seconds": 0}


def test_another_study_in_the_same_folder_is_refused(study, potsdam):
    other = StudyOptions(rows=("random",), lr=1.0)
    with pytest.raises(ConfigError, match="holds a study with label_share"):
        run_study(POTSDAM, potsdam, study[1], other, CPU)


@pytest.mark.parametrize("text", ['{"dataset": "pots', "[]"])
def test_a_damaged_file_of_options_is_told_of(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(ConfigError, match=r"study\.json is damaged; choose another --out"):
        check_same(tmp_path / "study.json", POTSDAM, QUICK)


def test_figures_that_are_not_defined_are_null_and_read_as_nan(tmp_path):
    evaluation = Evaluation(
        ClassTable.from_values([1, 2]),
        np.array([[3, 0], [0, 0]]),
        np.zeros(2, np.int64),
        BoundaryCounts.of(2, np.zeros((4, 2), np.int64)),
    )
    told = {"row": "random", "seed": 0, "pretrain_seed": None}
    write_run(tmp_path / "run.json", told, evaluation)
    run = json.loads((tmp_path / "run.json").read_text(), parse_constant=pytest.fail)
    assert run["boundary_f1"] is None
    assert run["classes"][1]["iou"] is None
    assert "nan" in summary(runs_table(read_runs(tmp_path)), ["random"])["kappa"].tolist()


def test_no_file_of_the_test_part_is_opened_before_the_test(potsdam, tmp_path, monkeypatch):
    tiles = find_tiles(POTSDAM, potsdam, labels="all", test_labels="all")
    opened, known = [], rasterio.open

    def watch(path, *args, **kwargs):
        opened.append(Path(path).name)
        return known(path, *args, **kwargs)

    def stop(*args, **kwargs):
        raise InterruptedError

    monkeypatch.setattr(runner, "find_tiles", lambda *_, **__: tiles)
    monkeypatch.setattr(rasterio, "open", watch)
    monkeypatch.setattr(runner, "evaluate_tiles", stop)
    with pytest.raises(InterruptedError):
        run_study(POTSDAM, potsdam, tmp_path, replace(QUICK, rows=("byol",)), CPU)
    held = [f"{tile.name}." for tile in tiles if tile.part == "test"]
    held += [f"_{tile.name}_" for tile in tiles if tile.part == "test"]
    # Images and labels for fine-tuning, and virtual rasters for pretraining.
    assert {Path(name).suffix for name in opened} == {".tif", ".vrt"}
    assert not [name for name in opened if any(mark in name for mark in held)]


def test_the_chosen_epoch_is_the_best_in_validation(study):
    _, folder, _ = study
    bundle = load_bundle(folder / "runs/random-s0.safetensors", kind="segmenter")
    run = json.loads((folder / "runs/random-s0.json").read_text())
    assert run["best_epoch"] in (1, 2)
    assert f"{run['val_miou']:.4f}" == bundle.provenance["validation_miou"]
    assert bundle.bands == ("red", "green", "blue", "nir")


@pytest.mark.slow
def test_imagenet_is_a_row_where_its_weights_are(potsdam, tmp_path):
    torch.manual_seed(3)
    weights = tmp_path / "imagenet.pth"
    torch.save(build_encoder("resnet18", 3).state_dict(), weights)
    options = StudyOptions(
        rows=("imagenet", "imagenet+byol"), imagenet_weights=str(weights), label_share=0.04,
        val_share=0.04, patch_size=64, pretrain_patch=32,
    ).quick()  # fmt: skip
    table = run_study(POTSDAM, potsdam, tmp_path / "study", options, CPU)
    assert table["row"].tolist() == ["imagenet+byol", "imagenet"]


def test_imagenet_is_left_out_with_a_warning_where_they_are_not(potsdam, study, tmp_path):
    gone = str(tmp_path / "gone.pth")
    options = StudyOptions(
        rows=("imagenet", "random"), imagenet_weights=gone, label_share=0.04, val_share=0.04,
        patch_size=64, batch_size=4, pretrain_patch=32,
    ).quick()  # fmt: skip
    with pytest.warns(SkippedRowWarning, match=r"imagenet is left out: There is no file"):
        table = run_study(POTSDAM, potsdam, study[1], options, CPU)
    assert "imagenet" not in set(table["row"])


@pytest.mark.parametrize("name", ["vaihingen", "loveda", "deepglobe"])
def test_the_other_datasets_run_too(name, request, tmp_path):
    options = StudyOptions(rows=("random",), label_share=0.1, val_share=0.1, patch_size=64)
    options = replace(options.quick(), epochs=1, labels="all")
    table = run_study(DATASETS[name], request.getfixturevalue(name), tmp_path, options, CPU)
    assert table["test_pixels"].tolist() == [labelled_pixels_of_first_test_tile(name, request)]


def labelled_pixels_of_first_test_tile(name, request):
    tiles = find_tiles(
        DATASETS[name], request.getfixturevalue(name), labels="all", test_labels="all"
    )
    tile = next(tile for tile in tiles if tile.part == "test")
    with rasterio.open(tile.labels) as source:
        marked = (source.read() >= 128).any(axis=0)
        return int((source.read(1) > 0).sum()) if name == "loveda" else int(marked.sum())


@pytest.fixture
def segmenter(study):
    return load_bundle(study[1] / "runs/random-s0.safetensors")


def test_models_say_what_the_numbers_of_the_tiles_stand_for(study):
    for path in study[1].glob("runs/*.safetensors"):
        assert load_bundle(path).units == BandUnits("uint8", (1.0,) * 4, (0.0,) * 4)


def test_figures_are_those_of_every_labelled_pixel_once(segmenter, potsdam):
    from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

    tiles = find_tiles(POTSDAM, potsdam, labels="all", test_labels="no_boundary")[-2:]
    grids = [PatchGrid(tile.shape, 64) for tile in tiles]
    found = evaluate_tiles(segmenter, POTSDAM, tiles, grids, accelerator="cpu", batch_size=3)
    predictor = build_predictor(segmenter)
    right, said = [], []
    for tile in tiles:
        with rasterio.open(tile.image) as source:
            image = torch.from_numpy(source.read().astype(np.float32))
        with rasterio.open(tile.labels) as source:
            colors = np.moveaxis(source.read(), 0, -1)
        truth = np.full(tile.shape, 255)
        for value, item in enumerate(POTSDAM.classes):
            truth[(colors == item.color).all(axis=-1)] = value
        for row in (0, 64):
            for col in (0, 64):
                part = np.s_[row : row + 64, col : col + 64]
                height, width = truth[part].shape
                padded, valid = torch.zeros(1, 4, 64, 64), torch.zeros(1, 64, 64).bool()
                padded[0, :, :height, :width] = image[(slice(None), *part)]
                valid[0, :height, :width] = True
                mapped = predictor(padded, valid)[0].argmax(0)[:height, :width].numpy()
                known = truth[part] != 255
                right.append(truth[part][known])
                said.append(mapped[known])
    right, said = np.concatenate(right), np.concatenate(said)
    assert found.pixels == len(right) == 2 * 90 * 128  # every 16th row is a border
    assert (found.confusion == confusion_matrix(right, said, labels=range(6))).all()
    assert found.kappa == pytest.approx(cohen_kappa_score(right, said))
    assert found.mf1 == pytest.approx(f1_score(right, said, average="macro", labels=range(6)))
    assert [e.name for e in found.scenes] == [t.name for t in tiles]


def test_strips_of_large_tiles_meet_without_a_seam(segmenter, potsdam, monkeypatch):
    tiles = find_tiles(POTSDAM, potsdam, labels="all", test_labels="all")[-1:]
    grids = [PatchGrid(tile.shape, 64) for tile in tiles]
    options = {"accelerator": "cpu", "boundary_tolerance": 3}
    whole = evaluate_tiles(segmenter, POTSDAM, tiles, grids, **options)
    monkeypatch.setattr("sscl_geo.studies.testing._STRIP", 7)
    strips = evaluate_tiles(segmenter, POTSDAM, tiles, grids, **options)
    assert (whole.confusion == strips.confusion).all()
    assert (whole.boundary.counts == strips.boundary.counts).all()


def test_tiles_get_a_grid_with_their_pixel_size_and_no_alpha(potsdam, tmp_path):
    tiles = find_tiles(POTSDAM, potsdam, labels="all", test_labels="all")[:3]
    paths = write_scenes(POTSDAM, tiles, tmp_path)
    dataset = SceneDataset(paths)
    assert dataset.bands == ("red", "green", "blue", "nir")
    assert all(scene.pixel_size == pytest.approx((0.05, 0.05)) for scene in dataset.scenes)
    patch = dataset.read(1, 10, 20, 30, 40)
    with rasterio.open(tiles[1].image) as source:
        assert (patch.image == source.read()[:, 10:40, 20:60]).all()
    assert patch.valid.all()
    areas = dataset.index.geometry
    assert not any(a.intersects(b) for i, a in enumerate(areas) for b in areas[:i])
    times = [path.stat().st_mtime_ns for path in paths]
    write_scenes(POTSDAM, tiles, tmp_path)
    assert [path.stat().st_mtime_ns for path in paths] == times


def test_the_learning_rate_falls_from_epoch_to_epoch():
    from sscl_geo.studies.training import ProtocolSegmentation

    task = ProtocolSegmentation("unet", "resnet18", lr=1e-4, weight_decay=1e-5)
    task.lr_decay = 0.98
    built = task.configure_optimizers()
    optimizer, schedule = built["optimizer"], built["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(3):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([1e-4, 0.98e-4, 0.98**2 * 1e-4])
    assert type(optimizer) is torch.optim.Adam
    assert built["lr_scheduler"].get("interval", "epoch") == "epoch"


def test_defaults_are_those_of_the_protocol():
    options = StudyOptions()
    assert (options.encoder, options.decoder, options.loss) == ("resnet50", "deeplabv3+", "ce")
    assert (options.epochs, options.lr, options.lr_decay) == (150, 1e-4, 0.98)
    assert len(options.seeds) >= 3


@pytest.mark.parametrize(
    "wrong", [{"rows": ("sscll",)}, {"rows": ()}, {"seeds": (1, 1)}, {"epochs": 0},
              {"batch_size": 1}, {"test_tiles": 0}, {"method_options": {"pixel_factor": 20}},
     {"rows": ("random", "simsiam"), "method_options": {"pixel_factors": 20}}],
)  # fmt: skip
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ConfigError):
        StudyOptions(**wrong)


def test_the_protocol_finds_its_patches_in_tiles_of_the_true_size(tmp_path):
    """Tiles of 6000 x 6000 pixels, which take no room as nothing is written into them."""
    for name in (n for s in POTSDAM.sources for n in s.names):
        for folder, end, count in (("4_Ortho_RGBIR", "RGBIR", 4), ("5_Labels_all", "label", 3)):
            path = tmp_path / "data" / folder / f"top_potsdam_{name}_{end}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            with rasterio.open(
                path, "w", driver="GTiff", count=count, height=6000, width=6000, dtype="uint8",
                sparse_ok=True,
            ):  # fmt: skip
                pass
    options = StudyOptions(seeds=(0, 1))
    study = runner._prepare(POTSDAM, tmp_path / "data", tmp_path / "out", options, CPU)
    assert sum(map(len, study.grids(study.train))) == 13_824
    assert sum(map(len, study.grids(study.test))) == 8_064
    assert all(c.named and len(c.labelled) == 138 for c in study.choices.values())
    patches = pd.read_csv(tmp_path / "out/patches.csv")
    named = patches[(patches["seed"] == 1) & (patches["use"] == "labelled")]
    assert sorted(named[named["tile"] == "7_8"]["number"]) == [74, 519, 549]


def test_what_is_pretrained_with_pixel_factors_is_fine_tuned_with_them(potsdam, tmp_path):
    options = replace(QUICK, rows=("sscl", "simsiam"), method_options={"pixel_factors": 3})
    run_study(POTSDAM, potsdam, tmp_path, options, CPU)
    models = {path.name: load_bundle(path) for path in tmp_path.rglob("*-s0.safetensors")}
    factors = {name.partition("-")[0]: model.pixel_factors for name, model in models.items()}
    assert factors == {"sscl": 3, "simsiam": 0}
