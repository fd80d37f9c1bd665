"""Progress bars that are silent where nobody looks."""

import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def is_main_rank() -> bool:
    """True on the one process of a distributed run that speaks to the user."""
    ranks = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in ranks)


def is_shown() -> bool:
    """True if stderr is a terminal and this is the process that speaks to the user."""
    return sys.stderr.isatty() and is_main_rank()


@dataclass(frozen=True)
class Bar:
    """Handle on one progress bar."""

    progress: Progress
    task: int

    def advance(self, amount: float = 1, **fields: object) -> None:
        """Move the bar by ``amount`` and set the text shown behind it (``note=...``)."""
        self.progress.update(self.task, advance=amount, **fields)  # ty: ignore[invalid-argument-type]


@contextmanager
def progress_bar(description: str, total: float | None = None) -> Generator[Bar]:
    """Show a progress bar on stderr while the block runs; draw nothing when not a terminal.

    Args:
        description: what is going on, for example ``"segment"``.
        total: number of steps, or None if it is not known.

    Yields:
        the bar, to be advanced.
    """
    progress = Progress(
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        disable=not is_shown(),
    )
    with progress:
        yield Bar(progress, progress.add_task(description, total=total, note=""))


def track[T](items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Iterate over ``items`` behind a progress bar."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # ty: ignore[invalid-argument-type]
    with progress_bar(description, total) as bar:
        for item in items:
            yield item
            bar.advance()
