"""``sscl-geo VERB …``: finds the verb, parses its options, runs it and reports what went wrong.

The table of verbs is all that ``sscl-geo --help`` needs, so that it answers at once: a verb, and
all that it imports, is loaded when it is called.
"""

import difflib
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sscl_geo import __version__
from sscl_geo.errors import ConfigError, SSCLGeoError, SSCLGeoWarning

VERBS = {
    "pairs": "sample overlapping pairs from scenes and show where they lie",
    "pretrain": "train an encoder on scenes without labels",
    "embed": "write dense features of a scene",
    "split": "deal ground to training, validation and test; draw few labels",
    "finetune": "train a segmenter on a scene with few labels",
    "segment": "write the map of a scene",
    "view": "show a map in a web page",
    "export": "write a model as ONNX, PT2 or STAC item",
    "points": "draw reference points of a map, to be labelled",
    "evaluate": "compare maps with labels",
    "study": "measure what pretraining buys, on a public dataset that you have",
    "demo": "run all of the above on a real scene",
}
"""Verb -> summary. The verb is the function of that name in ``sscl_geo/cli/VERB.py``."""

USER_ERROR = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: words after the program's name; those of the process if None.

    Returns:
        exit status: 0, or 2 for an error that the user can mend (told in one sentence on stderr),
        130 when interrupted, 141 when the reader of stdout went away.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with _one_line_warnings():
            _dispatch(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered must not be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (SSCLGeoError, OSError) as error:
        if debug:
            traceback.print_exc()
        print(f"sscl-geo: {_sentence(error)}", file=sys.stderr)
        return USER_ERROR
    return 0


def _dispatch(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
    elif words[0] == "--version":
        print(f"sscl-geo {__version__}")
    elif words[0] in VERBS:
        _run(words[0], words[1:])
    else:
        close = difflib.get_close_matches(words[0], VERBS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else "see 'sscl-geo --help'."
        raise ConfigError(f"There is no verb '{words[0]}'; {hint}")


def _run(name: str, words: Sequence[str]) -> None:
    from sscl_geo.cli.parsing import parse_command
    from sscl_geo.io.atomic import atomic_path
    from sscl_geo.progress import is_main_rank

    verb = getattr(importlib.import_module(f"sscl_geo.cli.{name}"), name)
    command = parse_command(verb, f"sscl-geo {name}", words)
    product = verb(**command.values)
    if product is not None and is_main_rank():
        config = config_path(product)
        with atomic_path(config) as temporary:
            made_by = f"# sscl-geo {__version__}: sscl-geo {name} --config {config.name}\n"
            temporary.write_text(made_by + command.config, encoding="utf-8")


def config_path(product: Path) -> Path:
    """Where the config that made ``product``, a file or a folder, is written.

    Example:
        >>> from pathlib import Path
        >>> from sscl_geo.cli.main import config_path
        >>> config_path(Path("maps/zion.tif")).as_posix()
        'maps/zion.config.yaml'
    """
    return product / "config.yaml" if product.is_dir() else product.with_suffix(".config.yaml")


def _help() -> str:
    verbs = "\n".join(f"  {name:<10} {summary}" for name, summary in VERBS.items())
    return (
        "usage: sscl-geo VERB … [--config YAML] [--print_config] [--debug]\n\n"
        "Self-supervised segmentation of satellite imagery, from raw scenes to a GIS map.\n\n"
        f"verbs:\n{verbs}\n\n"
        "options:\n"
        "  -h, --help  show this help, or that of a verb: sscl-geo VERB --help\n"
        "  --version   show the version\n"
        "  --debug     show where an error comes from\n\n"
        "The path in order: pretrain, finetune, segment, evaluate."
    )


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; check the path and your rights to it."
    return " ".join(str(error).split())


@contextmanager
def _one_line_warnings() -> Generator[None]:
    """Show warnings of this package as one line, without the line of code that raised them."""
    show = warnings.showwarning

    def show_in_a_line(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, SSCLGeoWarning):
            print(f"sscl-geo: warning: {' '.join(str(message).split())}", file=file or sys.stderr)
        else:
            show(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.showwarning = show_in_a_line  # ty: ignore[invalid-assignment] - the documented way
        yield
