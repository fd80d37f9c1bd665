# noqa: INP001 - mkdocs loads it by path
"""Formulas without a script, references in docstrings as links, and tables of benchmarks."""

import csv
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

_BLOCK = re.compile(r"^```math\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"\$`([^`\n]+)`\$")
_BENCHMARK = re.compile(r"^<!-- benchmark: (\w+) -->$", re.MULTILINE)
_RESULTS = Path(__file__).parents[1] / "experiments" / "results"
_ROLE = re.compile(r":(?:class|func|meth|attr|mod|data):<code>(~?)([\w.]+)</code>")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn formulas, written as GitHub reads them, into MathML, which browsers draw themselves.

    A comment ``<!-- benchmark: NAME -->`` becomes the table of the results that are kept.
    """
    markdown = _BENCHMARK.sub(_benchmark_table, markdown)
    markdown = _BLOCK.sub(
        lambda found: f"<div>{convert(found[1], display='block')}</div>", markdown
    )
    # Markdown takes <math> at the start of a line for a block of its own, <span> it does not.
    return _INLINE.sub(lambda found: f"<span>{convert(found[1])}</span>", markdown)


def _benchmark_table(found: re.Match[str]) -> str:
    path = _RESULTS / f"{found[1]}.csv"
    if not path.is_file():
        return f"No results are kept yet; `python -m experiments.benchmarks.{found[1]}` makes them."
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    bars = {"higher": "at least", "lower": "at most"}
    lines = ["| | measured | bar | compared with |", "|---|---|---|---|"]
    for row in rows:
        bar = f"{bars[row['better']]} {row['target']} {row['unit']}" if row["target"] else ""
        cells = (row["metric"], f"{row['value']} {row['unit']}", bar, row["versus"])
        lines.append(f"| {' | '.join(cells)} |")
    last = rows[-1]
    made = f"Made by `{last['command']}` on {last['machine']}, {last['date']}; {last['versions']}."
    return "\n".join([*lines, "", made])


def on_page_content(html: str, **_: Any) -> str:
    """Turn Sphinx's roles, which editors understand in docstrings, into links of the site."""

    def link(found: re.Match[str]) -> str:
        shown = found[2].rpartition(".")[2] if found[1] else found[2]
        return f'<autoref identifier="{found[2]}" optional><code>{shown}</code></autoref>'

    return _ROLE.sub(link, html)
