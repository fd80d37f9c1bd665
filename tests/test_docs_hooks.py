"""The hooks that make the site from its pages."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture
def hooks(monkeypatch, tmp_path):
    path = Path(__file__).parents[1] / "docs" / "hooks.py"
    spec = importlib.util.spec_from_file_location("site_hooks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_RESULTS", tmp_path)
    return module


def test_results_become_a_table_with_their_command(hooks, tmp_path) -> None:
    (tmp_path / "fast.csv").write_text(
        "metric,value,unit,target,better,versus,command,versions,machine,date\n"
        'speedup,21,x,20,higher,TorchGeo,python -m fast,python 3.13,"EPYC, 2 cores",2026-11-22\n'
        "memory,5,MB,,lower,,python -m fast,python 3.13,EPYC,2026-11-22\n"
    )
    assert hooks.on_page_markdown("before\n\n<!-- benchmark: fast -->\n\nafter").splitlines() == [
        "before",
        "",
        "| | measured | bar | compared with |",
        "|---|---|---|---|",
        "| speedup | 21 x | at least 20 x | TorchGeo |",
        "| memory | 5 MB |  |  |",
        "",
        "Made by `python -m fast` on EPYC, 2026-11-22; python 3.13.",
        "",
        "after",
    ]


def test_without_results_the_page_says_how_to_make_them(hooks) -> None:
    assert "python -m experiments.benchmarks.fast" in hooks.on_page_markdown(
        "<!-- benchmark: fast -->"
    )
