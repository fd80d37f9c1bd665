"""Options of what a verb calls, which the verb itself does not name."""

from collections.abc import Sequence

from sscl_geo.errors import ConfigError


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
            raise ConfigError(f"The option '{word}' is not NAME=VALUE; write for example lr=0.001.")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"The value of the option '{word}' cannot be read; quote it."
            ) from error
    return found
