"""From a verb's signature and docstring to a parser of its command line and its config file.

A verb is one function. Its positional-or-keyword parameters become positional arguments, its
keyword-only parameters become ``--options``, and the Google docstring's Args become the help.
"""

import argparse
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docstring_parser import DocstringStyle, parse
from jsonargparse import ActionYesNo, ArgumentParser

from sscl_geo.cli.arguments import Argument, arguments
from sscl_geo.cli.complaints import complaint
from sscl_geo.errors import ConfigError

type Verb = Callable[..., Path | None]


@dataclass(frozen=True)
class Command:
    """The values that a command line and a config file gave to a verb.

    Attributes:
        values: keyword arguments of the verb.
        config: the same values as YAML, as ``--config`` reads them.
    """

    values: dict[str, object]
    config: str


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)


def parse_command(verb: Verb, prog: str, argv: Sequence[str]) -> Command:
    """Parse the command line of a verb.

    Options may be written with ``-`` or ``_``. ``--help`` and ``--print_config`` print and exit.

    Args:
        verb: function to be called later.
        prog: how the verb is called, for usage lines, for example ``"sscl-geo segment"``.
        argv: words after the verb.

    Returns:
        the values, defaults filled in.

    Raises:
        ConfigError: if the command line or the config file cannot be understood.
    """
    parser = build_parser(verb, prog)
    known = arguments(verb)
    try:
        namespace = parser.parse_args([_with_hyphens(word) for word in argv])
    except argparse.ArgumentError as error:
        raise ConfigError(complaint(str(error), known, prog)) from error
    values = {name: argument.value(namespace[name]) for name, argument in known.items()}
    return Command(values, parser.dump(namespace, skip_unset=False))


def build_parser(verb: Verb, prog: str) -> ArgumentParser:
    """Make the parser of a verb; it raises ``argparse.ArgumentError`` where argparse would exit."""
    docstring = parse(verb.__doc__ or "", style=DocstringStyle.GOOGLE)
    helps = {p.arg_name: _plain(p.description or "") for p in docstring.params}
    parser = ArgumentParser(
        prog=prog,
        description=_description(docstring.short_description, docstring.long_description),
        epilog="Add --debug to see where an error comes from.",
        formatter_class=_HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    for argument in arguments(verb).values():
        _add(parser, argument, helps.get(argument.name, ""))
    parser.add_argument(
        "--config", action="config", metavar="YAML", help="file with values for any of these"
    )
    return parser


def _add(parser: ArgumentParser, argument: Argument, text: str) -> None:
    options: dict[str, Any] = {"help": text.replace("%", "%%")}  # argparse formats help with %
    if not argument.required:
        default = argument.default
        options["default"] = list(default) if isinstance(default, tuple) else default
        options["help"] += _default(default)
    if argument.item is bool and not argument.container:
        options["action"] = ActionYesNo(yes_prefix="", no_prefix="no-")
    else:
        options |= {"type": argument.item, "metavar": argument.metavar}
        if argument.container:
            empty = "*" if argument.positional and not argument.required else "+"
            options["nargs"] = argument.count or empty
        elif argument.positional and not argument.required:
            options["nargs"] = "?"
    if argument.positional:
        parser.add_argument(argument.name, **options)
    else:
        parser.add_argument(argument.typed, required=argument.required, **options)


def _default(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        value = "yes" if value else "no"
    elif isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    return f" (default: {value})".replace("%", "%%")


def _plain(text: str) -> str:
    """Text of a docstring for a terminal."""
    return " ".join(text.replace("``", "'").split()).removesuffix(".")


def _description(short: str | None, long: str | None) -> str:
    paragraphs = [short or "", *re.split(r"\n\s*\n", long or "")]
    return "\n\n".join(textwrap.fill(_plain(p) + ".", 78) for p in paragraphs if p)


def _with_hyphens(word: str) -> str:
    """Write ``--tile_size=3`` as ``--tile-size=3``, but leave jsonargparse's ``--print_config``."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    name = name.replace("_", "-")
    return ("--print_config" if name == "--print-config" else name) + equals + value
