"""Where the host's time goes while a map is made: seconds of a processor by stage."""

import functools
import inspect
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

STAGES: Final = (
    "read",
    "cut",
    "normalize",
    "network",
    "softmax",
    "blend",
    "layers",
    "write",
    "overviews",
    "cog",
    "other",
)
"""In the order of the work; ``other`` is what no stage claims."""


class StageClock:
    """Counts the processor's seconds of functions, without what other counted ones take within.

    Attributes:
        seconds: by stage.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open = threading.local()

    @contextmanager
    def _stage(self, name: str) -> Generator[None]:
        within: list[float] = self._open.__dict__.setdefault("within", [])
        within.append(0.0)
        start = time.thread_time()
        try:
            yield
        finally:
            taken = time.thread_time() - start
            self.seconds[name] += taken - within.pop()
            if within:
                within[-1] += taken

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Count a function or method, which is replaced; of a generator what each item takes."""
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._stage(stage):
                return function(*args, **kwargs)

        @functools.wraps(function)
        def iterate(*args: Any, **kwargs: Any) -> Iterator[Any]:
            items = function(*args, **kwargs)
            while True:
                with self._stage(stage):
                    item = next(items, self)
                if item is self:
                    return
                yield item

        setattr(owner, name, iterate if inspect.isgeneratorfunction(function) else call)


def watch_segment(network: Any) -> StageClock:
    """Count what ``segment`` does from now on in this process.

    Args:
        network: a module that gives logits.
    """
    from sscl_geo.maps import files, inference, strips
    from sscl_geo.maps.blending import TileBlender
    from sscl_geo.maps.compiled_blending import CompiledBlender
    from sscl_geo.maps.partial import PartialMap
    from sscl_geo.models.predictor import Predictor
    from sscl_geo.transforms.normalize import Normalize

    clock = StageClock()
    clock.watch(strips, "_read", "read")
    clock.watch(strips.Strip, "tiles", "cut")
    clock.watch(Normalize, "forward", "normalize")
    clock.watch(type(network), "forward", "network")
    clock.watch(Predictor, "activate", "softmax")
    for blender in (TileBlender, CompiledBlender):
        clock.watch(blender, "add", "blend")
    clock.watch(inference._Assembly, "put", "layers")  # noqa: SLF001 - nobody else tells
    clock.watch(PartialMap, "write", "write")
    clock.watch(files, "build_overviews", "overviews")
    clock.watch(files, "write_cog", "cog")
    return clock
