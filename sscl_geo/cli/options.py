"""Options of what a verb calls, which the verb itself does not name."""

import re
from collections.abc import Sequence

from sscl_geo.errors import ConfigError

_EXPONENT = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+")


def parse_options(words: Sequence[str]) -> dict[str, object]:
    """Read ``NAME=VALUE`` words; values are read as YAML reads them.

    Raises:
        ConfigError: if a word is not of that form.

    Example:
        >>> from sscl_geo.cli.options import parse_options
        >>> parse_options(["momentum=0.996", "decoder=unet", "dense_pyramid=false"])
        {'momentum': 0.996, 'decoder': 'unet', 'dense_pyramid': False}
    """
    import yaml

    found: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(
                f"The option '{word}' is not NAME=VALUE; write for example momentum=0.99."
            )
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"The value of the option '{word}' cannot be read; quote it."
            ) from error
        # YAML 1.1 takes 1e-4 for a text, as it lacks a point.
        is_number = isinstance(read, str) and _EXPONENT.fullmatch(read)
        found[name] = float(read) if is_number else read
    return found
