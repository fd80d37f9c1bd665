"""From a verb's signature and docstring to a parser of its command line and its config file.

A verb is one function. Its positional-or-keyword parameters become positional arguments, its
keyword-only parameters become ``--options``, and the Google docstring's Args become the help.
"""

import argparse
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from docstring_parser import DocstringStyle, parse
from jsonargparse import ActionYesNo, ArgumentParser

from sscl_geo.cli.complaints import choices, complaint, list_item, members
from sscl_geo.errors import ConfigError

type Verb = Callable[..., Path | None]

_METAVARS: dict[object, str] = {int: "INT", float: "FLOAT", bool: "BOOL", str: "TEXT", Path: "PATH"}


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
    try:
        namespace = parser.parse_args([_with_hyphens(word) for word in argv])
    except argparse.ArgumentError as error:
        raise ConfigError(complaint(str(error), verb, prog)) from error
    parameters = inspect.signature(verb).parameters
    for name, parameter in parameters.items():
        if namespace[name] == []:  # argparse's word for a positional list that was not given
            namespace[name] = parameter.default
    values = {name: namespace[name] for name in parameters}
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
    hints = get_type_hints(verb)
    for parameter in inspect.signature(verb).parameters.values():
        _add_parameter(parser, parameter, hints[parameter.name], helps.get(parameter.name, ""))
    parser.add_argument(
        "--config", action="config", metavar="YAML", help="file with values for any of these"
    )
    return parser


def _add_parameter(
    parser: ArgumentParser, parameter: inspect.Parameter, hint: object, text: str
) -> None:
    required = parameter.default is inspect.Parameter.empty
    positional = parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    options: dict[str, Any] = {"help": text.replace("%", "%%")}
    if not required:
        options |= {"default": parameter.default, "help": options["help"] + _default(parameter)}
    if hint is bool:
        options["action"] = ActionYesNo(yes_prefix="", no_prefix="no-")
    else:
        item = list_item(hint)
        options["type"] = hint if item is None else item
        options["metavar"] = parameter.name.upper() if positional else _metavar(options["type"])
        if item is not None:
            options["nargs"] = "*" if positional and not required else "+"
        elif positional and not required:
            options["nargs"] = "?"
    if positional:
        parser.add_argument(parameter.name, **options)
    else:
        parser.add_argument(f"--{parameter.name.replace('_', '-')}", required=required, **options)


def _metavar(hint: object) -> str:
    names = [str(choice) for choice in choices(hint)]
    names += [_METAVARS[member] for member in members(hint) if member in _METAVARS]
    return "{" + ",".join(names) + "}" if len(names) > 1 else "".join(names) or "VALUE"


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    if value is None:
        return ""
    if isinstance(value, bool):
        value = "yes" if value else "no"
    elif isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    return f" (default: {value})".replace("%", "%%")


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "'").split())


def _description(short: str | None, long: str | None) -> str:
    paragraphs = [short or "", *re.split(r"\n\s*\n", long or "")]
    return "\n\n".join(textwrap.fill(_plain(p), 78) for p in paragraphs if p)


def _with_hyphens(word: str) -> str:
    """Write ``--tile_size=3`` as ``--tile-size=3``, but leave jsonargparse's ``--print_config``."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    name = name.replace("_", "-")
    return ("--print_config" if name == "--print-config" else name) + equals + value
