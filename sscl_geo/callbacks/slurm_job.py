"""The job that Slurm runs a training in, whose time is limited."""

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.environments import SLURMEnvironment

from sscl_geo.errors import TrainingError


class SlurmJob:
    """Hears, by ``SIGUSR1``, that a job is about to reach its time limit, and queues it again.

    Slurm sends the signal where it was asked to (``sbatch --signal=SIGUSR1@300``; sbatch(1), and
    scontrol(1) of ``requeue``). Lightning would answer it in the middle of a step, with a
    checkpoint in the working directory that the next job there takes for its own; so
    :func:`~sscl_geo.training.fit` tells it not to.

    Attributes:
        is_ending: whether the signal came.
    """

    def __init__(self) -> None:
        self.is_ending = False
        self._before: Any = None

    def listen(self) -> None:
        """Note the signal from now on, if Slurm started this process."""
        if SLURMEnvironment.detect() and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGUSR1, self._note)

    def stop_listening(self) -> None:
        """Let the signal do again what it did before."""
        if self._before is not None:
            signal.signal(signal.SIGUSR1, self._before)
            self._before = None

    def end(self, checkpoint: Path, *, is_first_rank: bool) -> None:
        """Queue the job again, and end this training.

        Args:
            checkpoint: where its state was written.
            is_first_rank: whether this process is the one that speaks with Slurm.

        Raises:
            TrainingError: always; the first rank's says whether the job will go on by itself.
        """
        state = f"The job is about to reach its time limit, and its state is in {checkpoint}"
        if not is_first_rank:
            raise TrainingError(f"{state}.")
        if problem := _requeue():
            raise TrainingError(
                f"{state}, but it could not be queued again ({problem}); submit it again to go on."
            )
        raise TrainingError(f"{state}; it is queued again and will go on there.")

    def _note(self, *_: object) -> None:
        self.is_ending = True


def _requeue() -> str:
    """Queue the job of this process again; what went wrong, if anything did."""
    variables = ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")
    job, task = (os.environ.get(name) for name in variables)
    name = os.environ.get("SLURM_JOB_ID", "") if job is None else f"{job}_{task}"
    try:
        done = subprocess.run(  # noqa: S603 - a number from Slurm, and no shell
            ["scontrol", "requeue", name],  # noqa: S607 - where Slurm installed it
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return f"no scontrol: {error.strerror}"
    if done.returncode:
        return done.stderr.strip() or f"it ended with {done.returncode}"
    return ""
