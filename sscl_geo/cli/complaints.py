"""What argparse and jsonargparse complain of, each in one sentence that says how to mend it."""

import difflib
import inspect
import re
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, Union, get_args, get_origin, get_type_hints

_NOUNS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    types.NoneType: "null",
}


def complaint(message: str, verb: Callable[..., object], prog: str) -> str:
    """Say in one sentence what is wrong with a command line or a config file.

    Args:
        message: of the error that the parser raised.
        verb: function whose arguments were parsed.
        prog: how the verb is called, for example ``"sscl-geo segment"``.
    """
    message = " ".join(message.split())
    for pattern, speak in _SPEAKERS:
        if found := re.search(pattern, message):
            return speak(found, verb, f"see '{prog} --help'.")
    return f"{message.rstrip('.')}; see '{prog} --help'."


def members(hint: object) -> tuple[object, ...]:
    """Types that an annotation allows: those of a union, else the annotation itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def list_item(hint: object) -> object | None:
    """Type of the items if an annotation means a list (or a list or None), else None."""
    only = [member for member in members(hint) if member is not types.NoneType]
    if len(only) == 1 and get_origin(only[0]) in (list, Sequence):
        return get_args(only[0])[0]
    return None


def choices(hint: object) -> list[object]:
    """Values that the Literals of an annotation list."""
    return [c for m in members(hint) if get_origin(m) is Literal for c in get_args(m)]


def _expected(hint: object) -> str:
    if (item := list_item(hint)) is not None:
        return f"a list, each item {_expected(item)}"
    names = [repr(choice) for choice in choices(hint)]
    names += [_NOUNS[member] for member in members(hint) if member in _NOUNS]
    return " or ".join(names) or "another value"


def _bad_value(found: re.Match[str], verb: Callable[..., object], _: str) -> str:
    name, value = found.groups()
    expected = _expected(get_type_hints(verb)[name])
    return f"{_as_typed(name, verb)} cannot be '{value}'; give {expected}."


def _unknown_key(found: re.Match[str], verb: Callable[..., object], see: str) -> str:
    hint = _meant(found[1], inspect.signature(verb).parameters)
    return f"The config file has an unknown key '{found[1]}'{hint}; {see}"


def _unknown_word(found: re.Match[str], verb: Callable[..., object], see: str) -> str:
    word = found[1].partition("=")[0]
    if not word.startswith("-"):
        return f"'{word}' is one argument too many; {see}"
    options = [_as_typed(name, verb) for name in inspect.signature(verb).parameters]
    return f"There is no option {word}{_meant(word, [*options, '--config'])}; {see}"


def _missing(found: re.Match[str], verb: Callable[..., object], see: str) -> str:
    names = " and ".join(_as_typed(name, verb) for name in found[1].split(", "))
    return f"{names} must be given, on the command line or in --config; {see}"


def _no_config(found: re.Match[str], *_: object) -> str:
    return f"There is no config file {found[1]}; check the path."


def _bad_yaml(found: re.Match[str], *_: object) -> str:
    return f"The config file is not valid YAML ({found[1]}); correct it."


_SPEAKERS: tuple[tuple[str, Callable[..., str]], ...] = (
    (r"File does not exist: '?(.*?)'?$", _no_config),
    (r'Parser key "(\w+)".*(?:Got value|Given value): ?(.*)', _bad_value),
    (r"(?:Option|Key) '(\S+)' is not (?:accepted|expected)", _unknown_key),
    (r"unrecognized arguments: (?:-- )?(\S+)", _unknown_word),
    (r"arguments are required: (.*)", _missing),
    (r"Problems parsing config: (.*)", _bad_yaml),
)
"""Pattern of a message of argparse or jsonargparse, and who puts it into a sentence."""


def _as_typed(name: str, verb: Callable[..., object]) -> str:
    """Parameter as one types it: ``SCENE`` if positional, ``--tile-size`` if an option."""
    parameter = inspect.signature(verb).parameters[name]
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f"--{name.replace('_', '-')}"
    return name.upper()


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean '{close[0]}'?" if close else ""
