"""Runs segment in processes of its own, forked before anything has started a thread.

Reads a line of JSON ``{"scene": …, "out": …, "after": seconds}`` and says ``done`` or ``killed``.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch

from sscl_geo.classes import ClassTable
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.segment import segment

OPTIONS = {
    "tile": 64,
    "margin": 4,
    "overlap": 0.5,
    "batch_size": 3,
    "layers": ["confidence", "disagreement", "probabilities"],
}


class Slow(torch.nn.Module):
    """A convolution that counts its tiles and takes its time."""

    bands = ("red", "nir")
    classes = ClassTable.from_values([1, 2, 5])
    stride = 1

    def __init__(self, seconds=0.0):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.register_buffer("kernel", torch.randn((3, 2, 5, 5), generator=generator))
        self._seconds, self.tiles = seconds, 0

    def forward(self, image, _valid):
        time.sleep(self._seconds)
        self.tiles += len(image)
        return torch.nn.functional.conv2d(image / 100, self.kernel, padding=2).softmax(dim=1)


def main():
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            segment(open_scene(order["scene"]), Slow(0.004), Path(order["out"]), **OPTIONS)
            os._exit(0)
        end, state = time.monotonic() + order["after"], (0, 0)
        while time.monotonic() < end and state[0] == 0:
            state = os.waitpid(child, os.WNOHANG)
            time.sleep(0.002)
        if state[0] == 0:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        sys.stdout.write("killed\n" if state[0] == 0 else f"done {state[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
