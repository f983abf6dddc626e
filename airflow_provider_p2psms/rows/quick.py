"""
The hot path: rows that are certainly good, at two microseconds each.

Nearly every row of a million is good, so this knows good ones only. Whatever it does not know for certain
gives ``None``, and the general check begins anew with that row: reasons, masks and odd types are its affair,
and what comes out here is what would come out there (a test holds them against each other).

The shape is the profile's. One call a row, since a call costs as much as a check. Values are taken by their
place, an index in a record and a name in a mapping, which Python writes the same way: no dict is built to be
read once. All that the rules decide is decided when the function is built.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import getitem, itemgetter
from typing import Any, TypeAlias

from airflow_provider_p2psms.rows.headers import Columns
from airflow_provider_p2psms.rows.message import Message
from airflow_provider_p2psms.rows.row import GROUP, Header
from airflow_provider_p2psms.rows.template import Place, Template
from airflow_provider_p2psms.rows.texts import check_text
from airflow_provider_p2psms.rows.values import key_text

Quick: TypeAlias = Callable[[int, Any], Message | None]
Known: TypeAlias = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the values of a row stand; at ``never_blank`` a blank text stands for nothing."""

    recipient: Place
    message: Place | None
    key: Place | None
    template: Template | None
    never_blank: tuple[Place, ...] = ()


def for_mappings(columns: Columns, known: Known) -> Quick:
    """Check dicts (not what only behaves like one) that are no groups."""
    places = _Places(columns.recipient, columns.message, columns.key, columns.template)
    return _build(places, known, dict.get)


def for_pairs(columns: Columns, known: Known) -> Quick:
    """Check pairs with a text of their own."""
    if columns.key is not None:
        return _unsure
    return _build(_Places(0, 1, None, None), known, getitem)


def for_records(columns: Columns, header: Header, known: Known, *, blank_is_nothing: bool) -> Quick:
    """Check the records of a table, short ones too, but none with more cells than the header."""
    index = {name: place for place, name in enumerate(header.columns)}
    if GROUP in index and columns.recipient != GROUP:
        return _unsure
    template = columns.template
    key = None if columns.key is None else index[columns.key]
    filling = [index[name] for name in template.columns] if template else []
    places = _Places(
        recipient=index[columns.recipient],
        message=index.get(columns.message),
        key=key,
        template=template and template.renamed(index),
        never_blank=tuple(filling if key is None else [key, *filling]) if blank_is_nothing else (),
    )
    return _build(places, known, getitem)


def _build(places: _Places, known: Known, get: Callable[[Any, Any], Any]) -> Quick:
    recipient, key, never_blank = places.recipient, places.key, places.never_blank
    text_of = _text_of(places, get)

    def quick(number: int, row: Any) -> Message | None:
        try:
            for place in never_blank:
                if type(row[place]) is str and not row[place].strip():
                    return None
            text = text_of(row)
            e164 = known(row[recipient])
            if not e164 or type(text) is not str:
                return None
            name = "" if key is None else key_text(row[key])
            return Message(number, e164, text, check_text(text), name)
        except (LookupError, TypeError, ValueError):  # an `UnfitError` is one, too
            return None

    return quick


def _text_of(places: _Places, get: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    message, template = places.message, places.template
    if template is None:
        return itemgetter(message)
    if message is None:
        return template.fill

    def own_or_filled(row: Any) -> Any:
        own = get(row, message)
        blank = own is None or (type(own) is str and not own.strip())
        return template.fill(row) if blank else own

    return own_or_filled


def _unsure(number: int, row: Any) -> None:  # noqa: ARG001
    return None
