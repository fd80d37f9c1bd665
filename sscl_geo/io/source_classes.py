"""Deciding which class each value or name in a file of labels belongs to."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sscl_geo.classes import HIGHEST_VALUE, NODATA, ClassTable, map_dtype, nodata_of
from sscl_geo.errors import LabelError, SimilarNamesWarning, SkippedLabelWarning
from sscl_geo.io.class_table import Classification
from sscl_geo.io.legend import Legend
from sscl_geo.io.qgis_style import Color
from sscl_geo.io.remap import REST, Key, Remap, Target

UNKNOWN = -1
"""Index of a source that no class table knows."""

_MOST_LISTED: Final = 40
"""Sources that a message lists."""


@dataclass(frozen=True)
class SourceClass:
    """What a file of labels says about one of its values.

    Attributes:
        keys: what rules may call it, its value and its names; the best match first.
        value: its whole number; None where it has a name only.
        name: what a legend shows; None where it has none.
        color: red, green, blue, or None.
        is_text: True if the file says it by name, so that a class table is matched by name.
    """

    keys: tuple[Key, ...]
    value: int | None
    name: str | None = None
    color: Color | None = None
    is_text: bool = False


@dataclass(frozen=True)
class Assignment:
    """Classes of sources.

    Attributes:
        classes: the class table.
        indices: class index of each source, the table's ``ignore_index`` for no label, UNKNOWN if
            the table has not its class.
        rest: the same for sources that were not listed.
        is_named_only: True if a class has a value that was made up here.
    """

    classes: ClassTable
    indices: tuple[int, ...]
    rest: int
    is_named_only: bool


def assign_classes(
    sources: Sequence[SourceClass],
    wanted: Classification,
    remap: Remap,
    where: str,
    legend: Legend | None = None,
) -> Assignment:
    """Assign a class to each source, through a remap.

    Without a table, classes that the remap calls by value have that value. Classes that it calls by
    name have the value of the source of that name if it stays, else the lowest value that the
    remap leads to it, else the lowest free number from 1, in alphabetical order.

    Args:
        sources: the sources, without a table all that occur.
        wanted: the classes to expect, if any.
        remap: rules for the sources; they count before those that ``wanted`` brings.
        where: what holds the sources, for messages.
        legend: names and colours of values, also of those that do not occur.

    Raises:
        LabelError: if the remap leads to a class that the table has not, nothing is left, or a
            value that stays is no class value: below 0, above 65534, or above 254 without a name.
    """
    _check_rules(sources, remap, where)
    if wanted.table is not None:
        return _in_table(sources, wanted.table, wanted.remap, remap, where)
    targets = [_target(source, remap) for source in sources]
    stays = [target is _KEEP for target in targets]
    kept = {
        source.name: source.value
        for source, stay in zip(sources, stays, strict=True)
        if stay and source.name is not None and source.value is not None
    }
    classes_of: list[Key | None] = [
        (source.name if source.value is None else source.value)
        if target is _KEEP
        else kept.get(target, target)
        for source, target in zip(sources, targets, strict=True)
    ]
    kept_values = {s.value: s.name for s, stay in zip(sources, stays, strict=True) if stay}
    strange = next((v for v in kept_values if not _is_class_value(v, kept_values)), None)
    if strange is not None:
        raise LabelError(
            f"{where} holds {strange}, which is no class value; use whole numbers from 0 to "
            f"{NODATA - 1}, give it a name in a class table, remap it, or mark it as nodata."
        )
    values, is_named_only = _number(sources, classes_of, remap)
    if not values:
        raise LabelError(f"{where} has no label left; let the remap keep at least one class.")
    table = _legend_of(sources, classes_of, values, legend or Legend()).table(values.values())
    _check_case(table, where)
    index_of = {value: i for i, value in enumerate(table.values)}
    indices = tuple(table.ignore_index if c is None else index_of[values[c]] for c in classes_of)
    return Assignment(table, indices, UNKNOWN, is_named_only)


def _is_class_value(value: int | None, names: Mapping[int | None, str | None]) -> bool:
    """Whether a value can be a class; high ones, which measurements also have, need a name."""
    if value is None or 0 <= value < NODATA:
        return True
    nodata = nodata_of(map_dtype(v for v in names if v is not None))
    return NODATA <= value <= HIGHEST_VALUE and value != nodata and names[value] is not None


_KEEP: Final = object()
"""What becomes of a source without a rule."""


def _target(source: SourceClass, *remaps: Remap) -> Any:
    """What the first remap that names a source says of it, else what one says of the rest."""
    rules = [(remap.rules, remap.rule_for(source.keys)) for remap in remaps]
    for named in (True, False):
        for by_key, rule in rules:
            if rule is not None and (rule != REST) == named:
                return by_key[rule]
    return _KEEP


def _in_table(
    sources: Sequence[SourceClass], table: ClassTable, own: Remap, remap: Remap, where: str
) -> Assignment:
    strange = [target for target in remap.rules.values() if _in(table, target) == UNKNOWN]
    if strange:
        raise LabelError(
            f"The remap of {where} leads to the class {strange[0]!r}, which is not among "
            f"{', '.join(f'{c.value} ({c.name})' for c in table)}; correct either."
        )
    indices = []
    for source in sources:
        target = _target(source, remap, own)
        if target is not _KEEP:
            indices.append(_in(table, target))
        elif source.is_text:
            found = (_in(table, key) for key in source.keys if isinstance(key, str))
            indices.append(next((i for i in found if i != UNKNOWN), UNKNOWN))
        else:
            indices.append(_in(table, source.value))
    rest = _in(table, remap.rules[REST]) if REST in remap.rules else UNKNOWN
    return Assignment(table, tuple(indices), rest, is_named_only=False)


def _in(table: ClassTable, target: Target) -> int:
    """Index of a class by value or name, whose case counts where names differ in nothing else."""
    if target is None:
        return table.ignore_index
    if isinstance(target, int):
        return table.values.index(target) if target in table.values else UNKNOWN
    if target in table.names:
        return table.names.index(target)
    folded = [name.casefold() for name in table.names]
    alike = target.casefold()
    return folded.index(alike) if folded.count(alike) == 1 else UNKNOWN


def _number(
    sources: Sequence[SourceClass], classes_of: Sequence[Key | None], remap: Remap
) -> tuple[dict[Key, int], bool]:
    """Value of each class that occurs, and whether one was made up."""
    values: dict[Key, int] = {c: c for c in classes_of if isinstance(c, int)}
    taken = set(values.values())
    named = {c for c in classes_of if isinstance(c, str)}
    wanted: dict[str, list[int]] = {name: [] for name in named}
    # Values that the remap itself names count also where they do not occur, so that files that
    # share a remap number their classes alike.
    for rule in remap.values:
        if (name := remap.rules[rule]) in named:
            wanted[name].append(rule)
    for source, name in zip(sources, classes_of, strict=True):
        is_listed = remap.rule_for(source.keys) in source.keys
        if isinstance(name, str) and source.value is not None and is_listed:
            wanted[name].append(source.value)
    lowest = {n: min((v for v in wanted[n] if 0 <= v < NODATA), default=NODATA) for n in named}
    made_up = []
    for name in sorted(named, key=lambda n: (lowest[n], n)):
        if lowest[name] == NODATA or lowest[name] in taken:
            made_up.append(name)
        else:
            values[name] = lowest[name]
            taken.add(lowest[name])
    free = (n for n in range(1, HIGHEST_VALUE + 1) if n not in taken and n != NODATA)
    for name in sorted(made_up):
        value = next(free, None)
        if value is None:
            raise LabelError(
                f"There are more than {HIGHEST_VALUE} classes; merge some of them by a remap."
            )
        values[name] = value
    return values, bool(made_up)


def _legend_of(
    sources: Sequence[SourceClass],
    classes_of: Sequence[Key | None],
    values: Mapping[Key, int],
    legend: Legend,
) -> Legend:
    """Names and colours of classes: what the file says of their value, else of what they hold."""
    names: dict[int, str] = {}
    colors: dict[int, Color] = {}
    for key, value in values.items():
        own = [s for s in sources if s.value == key]
        held = [s for s, c in zip(sources, classes_of, strict=True) if c == key]
        if isinstance(key, str):
            names[value] = key
        elif name := next((s.name for s in own if s.name), legend.names.get(value)):
            names[value] = name
        said = [s.color for s in own] + [legend.colors.get(value)] * isinstance(key, int)
        if color := next((c for c in (*said, *(s.color for s in held)) if c), None):
            colors[value] = color
    return Legend(names, colors)


def _check_rules(sources: Sequence[SourceClass], remap: Remap, where: str) -> None:
    """Say which rules of a remap match nothing: most likely their sources are misspelt."""
    known = {key for source in sources for key in source.keys}
    rules = (*remap.names, *remap.values)
    missing = [rule for rule in rules if rule not in known]
    is_idle = len(missing) == len(rules)
    # Of values only some need to occur: a remap may be that of many files.
    if not missing or not (is_idle or isinstance(missing[0], str)):
        return
    listed = [str(k) for k in sorted(known, key=lambda key: (isinstance(key, int), key))]
    there = ", ".join([*listed[:_MOST_LISTED], *["…"][: len(listed) > _MOST_LISTED]])
    if is_idle:
        message = (
            f"{where} has none of the classes that the remap names, such as {missing[0]!r}; it has "
            f"{there}: correct the remap."
        )
    else:
        message = f"{where} has no class {missing[0]!r}, which the remap names; it has {there}."
    if is_idle and not remap.values:
        raise LabelError(message)
    warnings.warn(message, SkippedLabelWarning, stacklevel=4)


def _check_case(table: ClassTable, where: str) -> None:
    """Say which names of classes differ in case only: most likely they are one class."""
    count = Counter(name.casefold() for name in table.names)
    alike = [name for name in table.names if count[name.casefold()] > 1]
    if alike:
        warnings.warn(
            f"{where} has the classes {', '.join(alike)}, which differ in case only; merge them by "
            "a remap if they are one.",
            SimilarNamesWarning,
            stacklevel=4,
        )
