"""
What a send must look like to be taken; everything else is refused with HTTP 422 and its errors by field.

The checks are pure: they know neither HTTP nor what was taken before. Rows of files are read in ``files.py``.
An error names the place (``params.3.recipients.0``, ``row 7``), never the number or the text.
"""

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.envelope import wrong_fields
from airflow_provider_p2psms.sandbox.files import read_rows
from airflow_provider_p2psms.sandbox.pricing import count_parts
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.statuses import State

MAX_CHARACTERS = 1_400
MAX_PARTS = 20
MIN_AHEAD_S = 5 * 60
MAX_AHEAD_MONTHS = 3

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_LOCAL = re.compile(r"09[0-9]{9}")
_LINE_PREFIX = re.compile(r"^(\+|00)?98(?=[0-9])")
_SEND_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
# So many errors of one field are told; a file of 10,000 bad rows needs no answer of a megabyte.
_TOLD = 10


@dataclass(frozen=True, slots=True)
class Group:
    """
    A text and all its recipients (E.164): what gets one outbox id.

    ``own_texts`` holds the text of each recipient where one id was given to messages of several texts.
    """

    recipients: tuple[str, ...]
    text: str
    parts: int
    own_texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """
    A send that keeps the contract. ``send_time`` is as it came, ``send_at`` the Unix time meant by it.

    ``state`` and ``undelivered_share`` are a fault's: the state in which messages end that would have been
    sent, and the share of recipients that are not reached.
    """

    kind: str
    from_number: str
    groups: tuple[Group, ...]
    send_time: str | None
    send_at: float
    state: State | None = None
    undelivered_share: float = 0.0


class FieldErrors:
    """Collects what is wrong, by field, so that one answer tells all of it."""

    def __init__(self) -> None:
        self._by_field: dict[str, list[str]] = {}

    def add(self, field: str, text: str, *, place: str = "") -> None:
        """Note one error; past the first ten of a field they are dropped."""
        texts = self._by_field.setdefault(field, [])
        if len(texts) < _TOLD:
            texts.append(f"{place}: {text}" if place else text)

    def raise_any(self) -> None:
        """Refuse the request if anything was noted (HTTP 422)."""
        if self._by_field:
            raise wrong_fields(self._by_field)


def check_json(body: Mapping[str, object], *, settings: Settings, now: float) -> Submission:
    """
    Check a ``peer_to_peer`` body and return what it asks for.

    :raises Refused: 422, with every field at fault.
    """
    errors = FieldErrors()
    _check_type(body.get("sending_type"), "peer_to_peer", errors)
    from_number = _check_line(body.get("from_number"), errors, settings=settings)
    groups = tuple(_check_params(body.get("params"), errors))
    if sum(len(group.recipients) for group in groups) > settings.max_recipients:
        errors.add("recipients", phrases.TOO_MANY_RECIPIENTS)
    send_at = _check_send_time(body, errors, settings=settings, now=now)
    errors.raise_any()
    return Submission("peer_to_peer", from_number, groups, _send_time_of(body), send_at)


def check_form(
    fields: Mapping[str, str], files: Sequence[tuple[str, bytes]], *, settings: Settings, now: float
) -> Submission:
    """
    Check a ``peer_to_peer_file`` form, its files as (name, content), and return what it asks for.

    :raises Refused: 422, with every field at fault.
    """
    errors = FieldErrors()
    _check_type(fields.get("sending_type"), "peer_to_peer_file", errors)
    from_number = _check_line(fields.get("from_number"), errors, settings=settings)
    groups = tuple(_check_files(files, errors, max_rows=settings.max_rows))
    send_at = _check_send_time(fields, errors, settings=settings, now=now)
    errors.raise_any()
    return Submission("peer_to_peer_file", from_number, groups, _send_time_of(fields), send_at)


def _send_time_of(fields: Mapping[str, object]) -> str | None:
    given = fields.get("send_time")
    return given if isinstance(given, str) else None


def _check_type(given: object, expected: str, errors: FieldErrors) -> None:
    if not given:
        errors.add("sending_type", phrases.required("sending_type"))
    elif given != expected:
        errors.add("sending_type", phrases.UNKNOWN_TYPE)


def _check_text(given: object, field: str, errors: FieldErrors) -> str:
    if isinstance(given, str) and given.strip():
        return given
    wrong = given is not None and not isinstance(given, str)
    errors.add(field, phrases.NOT_TEXT if wrong else phrases.required(field))
    return ""


def _check_line(given: object, errors: FieldErrors, *, settings: Settings) -> str:
    line = _check_text(given, "from_number", errors)
    known = {_bare_line(each) for each in settings.lines}
    if line and not settings.any_line and _bare_line(line) not in known:
        errors.add("from_number", phrases.UNKNOWN_LINE)
    return line


def _bare_line(line: str) -> str:
    # Which spellings of a line the gateway takes is not stated: +983000505, 983000505 and 3000505 are one.
    return _LINE_PREFIX.sub("", line)


def _check_params(params: object, errors: FieldErrors) -> Iterable[Group]:
    if params is None or params == []:
        errors.add("params", phrases.required("params"))
    elif not isinstance(params, list):
        errors.add("params", phrases.NOT_A_LIST)
    else:
        for number, group in enumerate(params):
            yield _check_group(group, f"params.{number}", errors)


def _check_group(group: object, place: str, errors: FieldErrors) -> Group:
    if not isinstance(group, dict):
        errors.add("params", phrases.NOT_A_GROUP, place=place)
        return Group((), "", 0)
    recipients = group.get("recipients")
    if not recipients:
        errors.add("recipients", phrases.required("recipients"))
        recipients = []
    elif not isinstance(recipients, list):
        errors.add("recipients", phrases.NOT_A_LIST, place=place)
        recipients = []
    for number, recipient in enumerate(recipients):
        if not isinstance(recipient, str) or not _E164.fullmatch(recipient):
            errors.add("recipients", phrases.BAD_RECIPIENT, place=f"{place}.recipients.{number}")
    text = _check_text(group.get("message"), "message", errors)
    return Group(tuple(recipients), text, _check_length(text, place, errors))


def _check_length(text: str, place: str, errors: FieldErrors) -> int:
    parts = count_parts(text)
    if len(text) > MAX_CHARACTERS or parts > MAX_PARTS:
        errors.add("message", phrases.TOO_LONG, place=place)
    return parts


def _check_files(
    files: Sequence[tuple[str, bytes]], errors: FieldErrors, *, max_rows: int
) -> Iterable[Group]:
    if not files:
        errors.add("files", phrases.required("files"))
        return
    if len(files) > 1:
        errors.add("files", phrases.ONE_FILE)
        return
    rows = read_rows(*files[0])
    if len(rows) > max_rows:
        errors.add("files", phrases.TOO_MANY_ROWS)
        return
    for number, (recipient, text) in enumerate(rows, start=1):
        yield _check_row(recipient, text, f"row {number}", errors)


def _check_row(recipient: str, text: str, place: str, errors: FieldErrors) -> Group:
    if _LOCAL.fullmatch(recipient):  # files alone may hold local numbers; reports show them in E.164
        recipient = f"+98{recipient[1:]}"
    elif not _E164.fullmatch(recipient):
        errors.add("files", phrases.BAD_RECIPIENT, place=place)
    if not text.strip():
        errors.add("files", phrases.required("message"), place=place)
    parts = count_parts(text)
    if len(text) > MAX_CHARACTERS or parts > MAX_PARTS:
        errors.add("files", phrases.TOO_LONG, place=place)
    return Group((recipient,), text, parts)


def _check_send_time(
    fields: Mapping[str, object], errors: FieldErrors, *, settings: Settings, now: float
) -> float:
    if "send_time" not in fields:
        return now
    moment = _parse_send_time(fields["send_time"])
    if moment is None:
        errors.add("send_time", phrases.BAD_SEND_TIME)
        return now
    send_at = moment.timestamp()
    if send_at <= now and settings.past_send_time == "send_now":
        return now
    if send_at < now + MIN_AHEAD_S or moment > latest_send_time(now):
        errors.add("send_time", phrases.SEND_TIME_RANGE)
    return send_at


def _parse_send_time(given: object) -> datetime | None:
    if not isinstance(given, str) or not _SEND_TIME.fullmatch(given):
        return None
    try:
        return datetime.fromisoformat(given).replace(tzinfo=UTC)
    except ValueError:  # the 30th of February
        return None


def latest_send_time(now: float) -> datetime:
    """Return the last moment that can be scheduled: three calendar months ahead."""
    moment = datetime.fromtimestamp(now, UTC)
    months = moment.year * 12 + moment.month - 1 + MAX_AHEAD_MONTHS
    year, month = divmod(months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))
