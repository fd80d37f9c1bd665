"""When scenes were taken: from their names, and within which time they must lie.

All times are timezone-aware UTC, whatever the time zone of the machine. A name without a time of
day gives midnight, which stands for the whole day.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sscl_geo.errors import ConfigError

type Moment = str | date | datetime
"""``"2018"``, ``"2018-07"``, ``"2018-07-16"``, ISO 8601 with a time, or Python's own objects."""

_YEAR = r"(?:19[6-9]\d|20\d\d)"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[T_]?(?P<time>(?:[01]\d|2[0-3])[0-5]\d[0-5]\d)(?!\d))?"
_NAMES = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        # Sentinel-2 before December 2016: the acquisition follows V, the first date is processing.
        (rf"_V(?P<date>{_YEAR}{_MONTH}{_DAY}){_TIME}_", "%Y%m%d"),
        # Landsat before collections (LC80390342020139LGN00), MODIS (A2020139), HLS.
        (rf"\bL[COTEM]\d{{7}}(?P<date>{_YEAR}[0-3]\d\d)[A-Z]{{3}}\d\d", "%Y%j"),
        (rf"\.A(?P<date>{_YEAR}[0-3]\d\d)\.", "%Y%j"),
        (rf"\.(?P<date>{_YEAR}[0-3]\d\d)T(?P<time>\d{{6}})\.", "%Y%j"),
        (rf"(?<!\d)(?P<date>{_YEAR}{_MONTH}{_DAY})(?!\d){_TIME}", "%Y%m%d"),
        (rf"(?<!\d)(?P<date>{_YEAR}-{_MONTH}-{_DAY})(?!\d)", "%Y-%m-%d"),
        (rf"(?<!\d)(?P<date>{_YEAR}_{_MONTH}_{_DAY})(?!\d)", "%Y_%m_%d"),
    )
)
_NOT_ACQUISITION = re.compile(r"^S2[A-D]_OPER_")
"""Old Sentinel-2 names without V: their only date is that of processing."""


@dataclass(frozen=True)
class DatePattern:
    r"""Where a date stands in the path of a scene, as TorchGeo's ``filename_regex`` says it.

    Args:
        regex: regular expression with a group named ``date``, searched for in the whole path, so
            that a folder may hold the date.
        format: how the group is written, in the codes of :meth:`datetime.datetime.strptime`; UTC
            unless it holds ``%z``.

    Raises:
        ConfigError: if the expression cannot be read or has no group ``date``.

    Example:
        >>> from sscl_geo.io.dates import DatePattern
        >>> DatePattern(r"day(?P<date>\d{5})", "%y%j").find("flights/day18197.tif")
        datetime.datetime(2018, 7, 16, 0, 0, tzinfo=datetime.timezone.utc)
    """

    regex: str
    format: str = "%Y%m%d"

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.regex).groupindex
        except re.error as error:
            raise ConfigError(
                f"The date pattern {self.regex!r} is no regular expression ({error}); mend it."
            ) from error
        if "date" not in groups:
            raise ConfigError(
                f"The date pattern {self.regex!r} has no group named date; write for example "
                r"'_(?P<date>\d{8})\.tif'."
            )

    def find(self, path: str) -> datetime | None:
        """Date in a path; None if the expression does not match or finds no date."""
        match = re.search(self.regex, path)
        return parse_utc(match["date"] or "", self.format) if match else None


def date_in_name(path: str) -> datetime | None:
    """Find the acquisition date in a file name of a usual form.

    Understood are YYYYMMDD, YYYY-MM-DD and YYYY_MM_DD anywhere between other characters, the first
    one if there are several: so stand NAIP, Planet, Sentinel-1, Sentinel-2 and Landsat products,
    the latter with the acquisition before the processing date. A time of day (HHMMSS) may follow
    YYYYMMDD. The year and the day of the year are understood in names of old Landsat scenes, MODIS
    and HLS. Folders are not looked at: they tend to say when something was downloaded. Nor is
    TIFF's DateTime tag, which says when the file was written.

    Args:
        path: file name or URL.

    Returns:
        the time in UTC, midnight if the name holds no time of day; None if there is no date.

    Example:
        >>> from sscl_geo.io.dates import date_in_name
        >>> date_in_name("T12SUG_20200518T181921_B04_10m.jp2")
        datetime.datetime(2020, 5, 18, 18, 19, 21, tzinfo=datetime.timezone.utc)
    """
    name = re.split(r"[/\\]", path.partition("?")[0])[-1].rstrip('"')
    for number, (pattern, form) in enumerate(_NAMES):
        if number > 0 and _NOT_ACQUISITION.match(name):
            return None
        for match in pattern.finditer(name):
            day = parse_utc(match["date"], form)
            if day is not None:
                clock = match.groupdict().get("time")
                return day if clock is None else parse_utc(match["date"] + clock, form + "%H%M%S")
    return None


def covered_time(moment: datetime) -> tuple[datetime, datetime]:
    """First and last instant that a scene's date stands for: a whole day if it is midnight."""
    if moment.timetz() == time(tzinfo=UTC):
        return moment, moment + timedelta(days=1, microseconds=-1)
    return moment, moment


def time_range(start: Moment | None, end: Moment | None) -> tuple[datetime, datetime]:
    """First and last instant of a range, both included.

    Args:
        start: from when; a year, a month or a day means its first instant; None is open.
        end: until when; a year, a month or a day means its last instant; None is open.

    Returns:
        two times in UTC; a time without a zone is taken for UTC.

    Raises:
        ConfigError: if a text is no date, or the range ends before it starts.

    Example:
        >>> from sscl_geo.io.dates import time_range
        >>> first, last = time_range("2018", "2019-06")
        >>> f"{first:%Y-%m-%d} {last:%Y-%m-%d %H:%M}"
        '2018-01-01 2019-06-30 23:59'
    """
    first = datetime.min.replace(tzinfo=UTC) if start is None else _span(start)[0]
    last = datetime.max.replace(tzinfo=UTC) if end is None else _span(end)[1]
    if first > last:
        raise ConfigError(f"The time range {start} to {end} ends before it starts; swap the two.")
    return first, last


def _span(value: Moment) -> tuple[datetime, datetime]:
    """First and last instant that a value stands for."""
    if isinstance(value, datetime):
        moment = _utc(value)
        return moment, moment
    if isinstance(value, date):
        return covered_time(datetime(value.year, value.month, value.day, tzinfo=UTC))
    try:
        if re.fullmatch(r"\d{4}(-\d\d)?", value):
            year, month = int(value[:4]), int(value[5:] or 1)
            months = 1 if value[5:] else 12
            after = datetime(
                year + (month + months > 12), (month + months - 1) % 12 + 1, 1, tzinfo=UTC
            )
            return datetime(year, month, 1, tzinfo=UTC), after - timedelta(microseconds=1)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return _span(date.fromisoformat(value))
        return _span(datetime.fromisoformat(value))
    except ValueError as error:
        raise ConfigError(
            f"{value!r} is no date; write for example 2018, 2018-07, 2018-07-16 or "
            "2018-07-16T10:30:00Z."
        ) from error


def parse_utc(text: str, form: str) -> datetime | None:
    """Time that a text says, in UTC unless the form holds ``%z``; None if it is none."""
    try:
        return _utc(datetime.strptime(text, form))  # noqa: DTZ007 - _utc gives it a zone
    except ValueError:
        return None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
