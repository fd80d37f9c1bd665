"""The arguments of a verb, as its signature declares them."""

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Union, get_args, get_origin, get_type_hints

from sscl_geo.errors import ConfigError

_SHORT: dict[object, str] = {int: "INT", float: "FLOAT", bool: "BOOL", str: "TEXT", Path: "PATH"}
_LONG: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    types.NoneType: "null",
}


@dataclass(frozen=True)
class Argument:
    """One argument of a verb.

    Attributes:
        name: of the parameter.
        item: annotation of the value, or of each value if there are several.
        count: number of values: 1, or that of a tuple, or None for a list of any length.
        container: ``list`` or ``tuple`` if it takes several values, else None.
        default: value when it is not given; meaningless if required.
        required: whether it must be given.
        nullable: whether None is a value.
        positional: whether it is given by place rather than as an ``--option``.
    """

    name: str
    item: object
    count: int | None
    container: type[list[object] | tuple[object, ...]] | None
    default: object
    required: bool
    nullable: bool
    positional: bool

    @property
    def typed(self) -> str:
        """What one types, or sees in the usage line: ``SCENE``, ``--tile-size``."""
        return self.name.upper() if self.positional else f"--{self.name.replace('_', '-')}"

    @property
    def metavar(self) -> str:
        """Name of one value in the help: ``INT``, ``{hann,flat}``; of a place, its own."""
        if self.positional:
            return self.name.upper().removesuffix("S") if self.container else self.name.upper()
        names = [str(choice) for choice in _choices(self.item)]
        names += [_SHORT[member] for member in _members(self.item) if member in _SHORT]
        return "{" + ",".join(names) + "}" if len(names) > 1 else "".join(names) or "VALUE"

    @property
    def expected(self) -> str:
        """What can be given, in words."""
        names = [repr(choice) for choice in _choices(self.item)]
        names += [_LONG[member] for member in _members(self.item) if member in _LONG]
        one = " or ".join(names) or "another value"
        return f"{self.count or 'a list of'} values, each {one}" if self.container else one

    def value(self, parsed: object) -> object:
        """Turn what the parser gives into what the verb takes.

        Raises:
            ConfigError: if it is null, one value or too many values where that cannot be.
        """
        if parsed == [] and not self.required:  # argparse's word for places that were left out
            return self.default
        if parsed is None:
            fits = self.nullable
        else:
            fits = self.container is None or (
                isinstance(parsed, list) and len(parsed) > 0 and self.count in (None, len(parsed))
            )
        if not fits:
            raise ConfigError(f"{self.typed} cannot be '{parsed}'; give {self.expected}.")
        return tuple(parsed) if self.container is tuple and isinstance(parsed, list) else parsed


def arguments(verb: Callable[..., object]) -> dict[str, Argument]:
    """Arguments of a verb by name, in order."""
    hints = get_type_hints(verb)
    return {
        parameter.name: _argument(parameter, hints[parameter.name])
        for parameter in inspect.signature(verb).parameters.values()
    }


def _argument(parameter: inspect.Parameter, hint: object) -> Argument:
    item, count, container = hint, 1, None
    only = [member for member in _members(hint) if member is not types.NoneType]
    if len(only) == 1 and get_origin(only[0]) in (list, tuple):
        container = get_origin(only[0])
        items = get_args(only[0])
        item = items[0]
        count = len(items) if container is tuple and ... not in items else None
    return Argument(
        name=parameter.name,
        item=item,
        count=count,
        container=container,
        default=parameter.default,
        required=parameter.default is parameter.empty,
        nullable=types.NoneType in _members(hint),
        positional=parameter.kind is not parameter.KEYWORD_ONLY,
    )


def _members(hint: object) -> tuple[object, ...]:
    """Types of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _choices(hint: object) -> list[object]:
    return [c for m in _members(hint) if get_origin(m) is Literal for c in get_args(m)]
