"""What argparse and jsonargparse complain of, each in one sentence that says how to mend it."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping

from sscl_geo.cli.arguments import Argument

type _Arguments = Mapping[str, Argument]


def complaint(message: str, known: _Arguments, prog: str) -> str:
    """Say in one sentence what is wrong with a command line or a config file.

    Args:
        message: of the error that the parser raised.
        known: the arguments of the verb.
        prog: how the verb is called, for example ``"sscl-geo segment"``.
    """
    message = " ".join(message.split())
    see = f"see '{prog} --help'."
    for pattern, speak in _SPEAKERS:
        if found := re.search(pattern, message):
            return speak(found, known, see)
    return f"{message.rstrip('.')}; {see}"


def _bad_value(found: re.Match[str], known: _Arguments, _: str) -> str:
    argument = known[found[1]]
    return f"{argument.typed} cannot be '{found[2]}'; give {argument.expected}."


def _unknown_key(found: re.Match[str], known: _Arguments, see: str) -> str:
    return f"The config file has an unknown key '{found[1]}'{_meant(found[1], known)}; {see}"


def _unknown_word(found: re.Match[str], known: _Arguments, see: str) -> str:
    word = found[1].partition("=")[0]
    if not word.startswith("-"):
        return f"'{word}' is one argument too many; {see}"
    options = [argument.typed for argument in known.values() if not argument.positional]
    return f"There is no option {word}{_meant(word, [*options, '--config'])}; {see}"


def _missing(found: re.Match[str], known: _Arguments, see: str) -> str:
    names = " and ".join(known[name].typed for name in found[1].split(", "))
    return f"{names} must be given, on the command line or in --config; {see}"


def _no_config(found: re.Match[str], *_: object) -> str:
    return f"There is no config file {found[1]}; check the path."


def _no_list(*_: object) -> str:
    return "The config file has one value where a list is needed; write it as [value]."


def _no_boolean(found: re.Match[str], _: object, see: str) -> str:
    return f"'{found[1]}' is neither true nor false; {see}"


def _bad_yaml(found: re.Match[str], *_: object) -> str:
    return f"The config file is not valid YAML ({found[1]}); correct it."


_SPEAKERS: tuple[tuple[str, Callable[[re.Match[str], _Arguments, str], str]], ...] = (
    (r"File does not exist: '?(.*?)'?$", _no_config),
    (r'Parser key "(\w+)".*(?:Got value|Given value): ?(.*)', _bad_value),
    (r"(?:Option|Key) '(\S+)' is not (?:accepted|expected)", _unknown_key),
    (r"unrecognized arguments: (?:-- )?(\S+)", _unknown_word),
    (r"arguments are required: (.*)", _missing),
    (r"Problems parsing config: (.*)", _bad_yaml),
    (r"'\w+' object does not support item assignment", _no_list),
    (r"Value not boolean: (.*?)\.?$", _no_boolean),
)
"""Pattern of a message of argparse or jsonargparse, and who puts it into a sentence."""


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean '{close[0]}'?" if close else ""
