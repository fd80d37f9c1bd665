"""Reading CSV as people and spreadsheets write it."""

import csv
import os
from collections.abc import Sequence
from io import StringIO
from itertools import zip_longest

from sscl_geo.errors import LabelError
from sscl_geo.io.text_file import read_text


def read_csv(
    path: str | os.PathLike[str], what: str, columns: Sequence[str]
) -> list[dict[str, str]]:
    """Read the rows of a CSV file that are not empty.

    Commas, semicolons or tabs stand between the entries, whichever the first line has most of.

    Args:
        path: the file.
        what: what it is, for messages, such as ``"class table"``.
        columns: names of columns that it must have; case and blanks around do not matter.

    Returns:
        for each row its entries by column, names in lower case, without blanks around either.

    Raises:
        LabelError: if it cannot be read, has not the columns, or no row.
    """
    text = read_text(path, what).lstrip("\n")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(StringIO(text, ""), delimiter=separator)
        ]
    except csv.Error as error:
        raise LabelError(f"{path} cannot be read as CSV; save it again ({error}).") from error
    header, *filled = [row for row in rows if any(row)] or [[]]
    names = [name.lower() for name in header]
    if not filled or not set(columns) <= set(names):
        raise LabelError(
            f"{path} is no {what}; give a first line '{','.join(columns)}' and rows below it "
            f"(its first line is {first!r})."
        )
    return [dict(zip_longest(names, row[: len(names)], fillvalue="")) for row in filled]
