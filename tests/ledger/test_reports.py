"""Reading an outbox that shows what it likes: what of it is ours, and what proves nothing."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from airflow_provider_p2psms.gateway.wire import Page
from airflow_provider_p2psms.ledger.reports import Outbox, Request

LINE = "+983000505"


class Shown:
    """An outbox: records of (id, text, recipients), and what else stands in them."""

    def __init__(self, *records, page=100, **fields):
        self.records = [
            {
                "messages_outbox_id": str(outbox_id),
                "number": LINE,
                "message": text,
                "rcpts_count": len(recipients),
                "time": 150,
                **fields,
            }
            for outbox_id, text, recipients in records
        ]
        self.recipients = {outbox_id: recipients for outbox_id, _, recipients in records}
        self.page, self.filters = page, []

    def report_list(self, filters, *, page, limit):
        self.filters.append(filters)
        found = [each for each in self.records if filters.get("message") in {None, each["message"]}]
        return self._cut(found, page)

    def report_recipients(self, outbox_id, *, page, per_page):
        return self._cut([{"recipient": each} for each in self.recipients[outbox_id]], page)

    def _cut(self, found, page):
        last = -(-len(found) // self.page) or 1
        return Page(tuple(found[(page - 1) * self.page : page * self.page]), page, last, len(found))


def find(shown, *requests, known=()):
    with ThreadPoolExecutor(4) as pool:
        return Outbox(shown, stop=Event()).find_taken(list(requests), known_ids=set(known), pool=pool)


def request(*messages):
    return Request(LINE, 100.0, 200.0, messages)


def test_all_pages_are_read():
    """Ours is found on whatever page it stands, among others' records and recipients."""
    numbers = tuple(f"+98912000{place:04}" for place in range(25))
    others = [(place, f"other {place}", ("+989350000001",)) for place in range(1, 30)]

    [search] = find(
        Shown(*others, (77, "hi", numbers), page=10), request(*((each, "hi") for each in numbers))
    )

    assert [77] * 25 == search.ids


@pytest.mark.parametrize("shown", [(), ("+989120000001",)])
def test_a_record_that_is_not_shown_whole_proves_nothing(shown):
    """With some of its recipients, or none, it says neither *taken* nor *not taken*."""
    outbox = Shown((7, "hi", ("+989120000001", "+989120000002")))
    outbox.recipients[7] = shown

    [search] = find(outbox, request(("+989120000001", "hi"), ("+989120000002", "hi")))

    assert ([0, 0], True) == (search.ids, search.hazy)


def test_a_record_with_other_recipients_is_not_ours():
    """One recipient too many, and somebody else has sent it."""
    [search] = find(Shown((7, "hi", ("+989120000001", "+989120000009"))), request(("+989120000001", "hi")))

    assert ([0], False) == (search.ids, search.hazy)


def test_the_larger_record_has_its_choice_first():
    """Two copies on purpose: the request that held both numbers takes the record that has both."""
    one, both = ("+989120000001",), ("+989120000001", "+989120000002")

    small, large = find(
        Shown((7, "hi", one), (8, "hi", both)),
        request(*((number, "hi") for number in one)),
        request(*((number, "hi") for number in both)),
    )

    assert ([7], [8, 8]) == (small.ids, large.ids)


@pytest.mark.parametrize(
    ("fields", "is_ours"),
    [
        ({}, True),
        ({"number": "3000505"}, True),
        ({"number": None}, True),
        ({"number": "+983000606"}, False),
        ({"time": None}, True),
        ({"time": "150"}, True),
        ({"time": "yesterday"}, True),
        ({"time": 100 - 301}, False),
        ({"time": 200 + 301}, False),
        ({"message": " hi \r\n"}, True),
        ({"message": "hi!"}, False),
        ({"messages_outbox_id": None}, False),
        ({"rcpts_count": None}, True),
    ],
    ids=str,
)
def test_what_makes_a_record_ours(fields, is_ours):
    """Line, time and text; what a report leaves out speaks against nobody."""
    [search] = find(Shown((7, "hi", ("09120000001",)), **fields), request(("+989120000001", "hi")))

    assert ([7] if is_ours else [0]) == search.ids


def test_a_known_id_belongs_to_another_request():
    """What the ledger has of another request is not taken for this one."""
    [search] = find(Shown((7, "hi", ("+989120000001",))), request(("+989120000001", "hi")), known={7})

    assert [0] == search.ids


def test_a_large_outbox_is_asked_by_text():
    """Where others' records fill many pages the few texts in doubt are asked for by themselves."""
    others = [(place, f"other {place}", ("+989350000001",)) for place in range(1, 40)]
    outbox = Shown(*others, (77, "hi", ("+989120000001",)), page=1)

    [search] = find(outbox, request(("+989120000001", "hi")))

    assert [77] == search.ids
    assert [None, "hi"] == [filters.get("message") for filters in outbox.filters]
