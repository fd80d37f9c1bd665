"""The frame of the command line: dispatch, exit status, what goes to stderr, the config written."""

import ast
import importlib
import importlib.util
import os
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path

import pytest
import yaml

import sscl_geo
from sscl_geo.cli import main as frame
from sscl_geo.cli.main import VERBS, config_path, main
from sscl_geo.errors import SceneError, SkippedSceneWarning


@pytest.fixture
def verb(monkeypatch):
    """Replace the verb ``segment`` by any function."""

    def replace(function):
        module = types.ModuleType("sscl_geo.cli.segment")
        module.segment = function
        monkeypatch.setitem(sys.modules, "sscl_geo.cli.segment", module)

    return replace


def run(*words, **options):
    """Run the command line as its own process."""
    return subprocess.run(
        [sys.executable, "-m", "sscl_geo", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb(capsys, words):
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in VERBS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sscl-geo {sscl_geo.__version__}\n"


def test_unknown_verb_is_met_with_a_guess(capsys):
    assert main(["segmnet", "a.tif"]) == 2
    assert capsys.readouterr().err == (
        "sscl-geo: There is no verb 'segmnet'; did you mean 'segment'?\n"
    )


def test_a_user_error_is_one_sentence_and_status_2(verb, capsys):
    def segment(scene: Path) -> Path | None:
        raise SceneError(f"There is no file {scene};\n check the path of the scene.")

    verb(segment)
    assert main(["segment", "a.tif"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "sscl-geo: There is no file a.tif; check the path of the scene.\n"


@pytest.mark.parametrize("words", [["--debug", "segment", "a"], ["segment", "a", "--debug"]])
def test_debug_shows_the_traceback_before_the_sentence(verb, capsys, words):
    def segment(scene: Path) -> Path | None:
        raise SceneError(f"{scene} is wrong; mend it.")

    verb(segment)
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("sscl-geo: a is wrong; mend it.\n")


def test_a_missing_file_that_a_verb_did_not_expect_is_still_a_sentence(verb, capsys):
    def segment(scene: Path) -> Path | None:
        scene.open()

    verb(segment)
    assert main(["segment", "no/such/file"]) == 2
    assert capsys.readouterr().err == (
        "sscl-geo: no/such/file: No such file or directory; check the path and your rights to it.\n"
    )


def test_a_bug_is_not_hidden(verb):
    def segment(scene: Path) -> Path | None:
        raise ZeroDivisionError

    verb(segment)
    with pytest.raises(ZeroDivisionError):
        main(["segment", "a"])


def test_an_interrupt_is_one_short_line_and_status_130(verb, capsys):
    def segment(scene: Path) -> Path | None:
        raise KeyboardInterrupt

    verb(segment)
    assert main(["segment", "a"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_warning_of_the_package_is_one_line(verb, capsys, recwarn):
    def segment(scene: Path) -> Path | None:
        warnings.warn(f"{scene} was left out;\nit has no CRS.", SkippedSceneWarning, stacklevel=2)

    verb(segment)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["segment", "a"]) == 0
    assert capsys.readouterr().err == "sscl-geo: warning: a was left out; it has no CRS.\n"


def test_the_config_is_written_beside_a_file_and_can_be_fed_back(verb, tmp_path, capsys):
    seen = []

    def segment(scene: Path, *, out: Path = tmp_path / "m.tif", tile: int = 256) -> Path | None:
        seen.append((scene, out, tile))
        out.touch()
        return out

    verb(segment)
    assert main(["segment", "a.tif", "--tile", "64"]) == 0
    config = tmp_path / "m.config.yaml"
    assert config.read_text().startswith(f"# sscl-geo {sscl_geo.__version__}: sscl-geo segment")
    assert yaml.safe_load(config.read_text())["tile"] == 64
    assert main(["segment", "--config", str(config)]) == 0
    assert seen[0] == seen[1]


def test_the_config_is_written_into_a_folder(verb, tmp_path):
    def segment(*, out: Path) -> Path | None:
        out.mkdir()
        return out

    verb(segment)
    assert main(["segment", "--out", str(tmp_path / "demo")]) == 0
    assert (tmp_path / "demo/config.yaml").is_file()


def test_no_config_is_written_after_an_error(verb, tmp_path):
    def segment(*, out: Path) -> Path | None:
        raise SceneError("no.")

    verb(segment)
    assert main(["segment", "--out", str(tmp_path / "m.tif")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_config_path_keeps_dots_in_names(tmp_path):
    assert config_path(tmp_path / "zion.v2.tif") == tmp_path / "zion.v2.config.yaml"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_light_until_it_is_called(name):
    """Heavy imports at the top of a verb's module would slow its --help down."""
    source = Path(importlib.util.find_spec(f"sscl_geo.cli.{name}").origin).read_text()
    heavy = {"torch", "torchgeo", "lightning", "rasterio", "geopandas", "kornia", "pandas"}
    for node in ast.parse(source).body:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {n.split(".")[0] for n in names} & heavy


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_all_its_arguments(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: sscl-geo {name}" in text
    from sscl_geo.cli.parsing import build_parser

    verb = getattr(importlib.import_module(f"sscl_geo.cli.{name}"), name)
    for action in build_parser(verb, name)._actions:
        assert action.help, f"{name} {action.dest} has no help"


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_the_top_level_answers_without_loading_anything_heavy(words):
    code = (
        "import sys; from sscl_geo.cli.main import main; main(sys.argv[1:]);"
        "sys.exit(','.join({'torch', 'jsonargparse', 'numpy', 'rich'} & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.stderr.strip() == ""


@pytest.mark.parametrize(
    ("limit", "words"), [(1.0, ["-m", "sscl_geo", "--help"]), (0.5, ["-c", "import sscl_geo"])]
)
def test_help_and_import_are_quick(limit, words):
    def seconds():
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=60)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < limit


def test_the_module_runs_as_the_command_does():
    process = run("segmnet")
    assert process.returncode == 2
    assert process.stderr == "sscl-geo: There is no verb 'segmnet'; did you mean 'segment'?\n"
    assert process.stdout == ""


@pytest.mark.skipif(os.name != "posix", reason="pipes break this way on POSIX")
def test_a_broken_pipe_is_silent():
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "sscl_geo", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert process.stderr == b""
    assert process.returncode == frame.BROKEN_PIPE
