"""Which of our messages in doubt an outbox proves to be taken, whatever spelling it shows them in."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_p2psms.gateway.matching import MOST_ASKED, Doubted, match
from airflow_provider_p2psms.gateway.records import OutboxRecord, Recipient
from airflow_provider_p2psms.gateway.statuses import State
from airflow_provider_p2psms.identity import fold
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, NO_DIGEST

LINE = "+983000505"
A, B, C = "+989120000001", "+989120000002", "+989120000003"
FOREIGN = "+989350000009"
NOW = 1_800_000_000.0


def digest(recipient, text, copy):
    message = f"{recipient}\0{fold(text)}\0{copy}"
    return hashlib.blake2b(message.encode(), digest_size=DIGEST_BYTES).digest()


def doubt(*messages, gone=(), settled=(), since=NOW, until=NOW + 100, line=LINE, **options):
    """Make a request in doubt; the rows at the places ``gone`` are not there any more."""
    copies: dict[tuple[str, str], int] = {}
    digests = []
    for place, (recipient, text) in enumerate(messages):
        copy = copies[recipient, fold(text)] = copies.get((recipient, fold(text)), -1) + 1
        digests.append(NO_DIGEST if place in settled else digest(recipient, text, copy))
    held = {place: message for place, message in enumerate(messages) if place not in gone}
    return Doubted(digests, held, digest, line, since, until, **options)


def record(outbox_id, text, *, line=LINE, at=NOW + 50, send_at=None, count=None, is_failed=False):
    state = State.CANCELLED if is_failed else State.SENT
    return OutboxRecord(outbox_id, line, text, at, send_at, count, state)


class Outbox:
    """Shows records with their recipients, and counts the questions."""

    def __init__(self):
        self.records, self.recipients, self.asked = [], {}, []

    def add(self, outbox_id, text, recipients, **fields):
        self.records.append(record(outbox_id, text, **fields))
        self.recipients[outbox_id] = recipients and tuple(
            each if isinstance(each, Recipient) else Recipient(each, None) for each in recipients
        )
        return self

    def ask(self, shown):
        self.asked.append(shown.outbox_id)
        return self.recipients[shown.outbox_id]

    def match(self, *doubted, known=(), lines=()):
        found = match(doubted, self.records, known_ids=known, recipients=self.ask, lines=lines)
        return [(each.ids, each.unexplained) for each in found]


def shown(text, recipients, **fields):
    return Outbox().add(7, text, recipients, **fields)


def outcome(*args, **options):
    [(ids, unexplained)] = shown(*args, **options).match(doubt((A, "hello there")))
    return "taken" if ids == [7] else "unexplained" if unexplained == {0} else "explained"


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("+989120000001", True),
        ("989120000001", True),
        ("00989120000001", True),
        ("09120000001", True),
        ("9120000001", True),
        ("+98 (912) 000-0001", True),
        ("+9809120000001", True),
        ("۰۹۱۲۰۰۰۰۰۰۱", True),
        ("0912***0001", True),
        ("+98912XXXX001", True),
        ("*******0001", True),
        ("0912-000-0001", True),
        ("0912...0001", True),
        ("0001", True),
        ("09120000009", False),
        ("0935***0001", False),
        ("0912***0009", False),
    ],
)
def test_a_recipient_is_the_same_in_every_spelling(number, fits):
    """National, without plus, masked or cut, it is our recipient; another number is not."""
    assert ("taken" if fits else "explained") == outcome("hello there", [number])


@pytest.mark.parametrize("number", ["", "***", "*1", "9f8a77cd", "hidden"])
def test_a_recipient_that_cannot_be_read_may_be_ours(number):
    """A hidden number neither proves nor explains."""
    assert "unexplained" == outcome("hello there", [number])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello there", "taken"),
        ("hello  there\r\n", "taken"),
        ("hello there\nلغو11", "taken"),
        ("Bank: hello there", "taken"),
        ("Bank: hello there لغو11", "taken"),
        ("hello ther", "unexplained"),
        ("hello there"[:10] + "…", "unexplained"),
        ("other", "unexplained"),
        ("****", "unexplained"),
        (None, "unexplained"),
    ],
)
def test_what_text_makes_a_record_ours(text, expected):
    """The same, or ours within another; any other text to our recipient is not explained."""
    assert expected == outcome(text, [A])


@pytest.mark.parametrize(
    "text", ["Dear Ali, your", "Dear Ali, your…", "Dear Ali, your...", "Dear Ali, your order..."]
)
def test_a_shortened_text_is_ours(text):
    """At least 10 letters from the start of ours, with or without dots."""
    found = shown(text, [A]).match(doubt((A, "Dear Ali, your order is here")))

    assert [([7], set())] == found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"line": "3000505"}, "taken"),
        ({"line": "00983000505"}, "taken"),
        ({"line": "Bank"}, "taken"),
        ({"line": None}, "taken"),
        ({"line": "3000***"}, "taken"),
        ({"line": "+98213000505"}, "unexplained"),
        ({"line": "+983000606"}, "explained"),
        ({"at": NOW - 1}, "explained"),
        ({"at": NOW + 101}, "unexplained"),
        ({"at": None}, "unexplained"),
        ({"is_failed": True}, "explained"),
        ({"count": 5}, "taken"),
    ],
)
def test_what_line_and_time_make_a_record_ours(fields, expected):
    """
    Another number or an earlier time is not ours; a name may be.

    No time, a later one, or a line like ours proves nothing.
    """
    assert expected == outcome("hello there", [A], **fields)


@pytest.mark.parametrize(
    ("text", "number"), [("hello there لغو11", A), ("hello there", "0912***0001"), ("other", A)]
)
def test_on_a_line_that_cannot_be_told_all_has_to_fit_exactly(text, number):
    """A name for a line proves less: an altered text or a masked number is not enough."""
    assert "unexplained" == outcome(text, [number], line="Bank")


def test_a_line_may_be_known_by_another_name():
    """What witnesses have shown of our line counts as our line."""
    found = shown("hello there لغو11", [A], line="Bank").match(doubt((A, "hello there")), lines=["bank"])

    assert [([7], set())] == found


def test_a_known_id_is_another_requests():
    """What the ledger has of another request is not taken for this one, and explained."""
    assert [([0], set())] == shown("hello there", [A]).match(doubt((A, "hello there")), known={7})


def test_recipients_that_are_not_shown_whole_leave_their_text_in_doubt():
    """Only the messages that the record may hold are unexplained."""
    found = shown("hello there", None).match(doubt((A, "hello there"), (B, "something else")))
    other = shown("another", None).match(doubt((A, "hello there"), (B, "something else")))

    assert [([0, 0], {0})] == found
    assert [([0, 0], {0, 1})] == other


def test_a_group_is_taken_whole():
    """All recipients of its text get the one id, in any order and spelling."""
    found = shown("hi", ["0912***0002", A]).match(doubt((A, "hi"), (B, "hi"), (C, "another")))

    assert [([7, 7, 0], set())] == found


def test_a_recipient_that_a_group_does_not_show_is_in_doubt():
    """The gateway took the request, so it did not refuse the one that is missing."""
    found = shown("hi", [A, B]).match(doubt((A, "hi"), (B, "hi"), (C, "hi")))

    assert [([7, 7, 0], {2})] == found


def test_a_group_with_a_recipient_too_many_is_in_doubt():
    """It may be somebody else's, or ours with one added."""
    found = shown("hi", [A, B, FOREIGN]).match(doubt((A, "hi"), (B, "hi"), (C, "hi")))

    assert [([0, 0, 0], {0, 1})] == found


def test_masks_that_fit_several_of_ours_are_in_doubt_unless_all_are_shown():
    """One masked number of two that it may be tells nothing; two of two tell all."""
    other = "+989121110001"
    one = shown("hi", ["0912***0001"]).match(doubt((A, "hi"), (other, "hi")))
    both = shown("hi", ["0912***0001", "0912***0001"]).match(doubt((A, "hi"), (other, "hi")))

    assert [([0, 0], {0, 1})] == one
    assert [([7, 7], set())] == both


def test_the_closest_text_wins():
    """The same before contained, the longest before a shorter one."""
    request = doubt((A, "hi"), (A, "hi there"))
    exact, contained = shown("hi there", [A]), shown("hi there لغو11", [A])

    assert [([0, 7], set())] == exact.match(request)
    assert [([0, 7], set())] == contained.match(request)


def test_texts_that_fit_equally_well_stay_in_doubt():
    """Two of our texts that are shortened to the same one cannot be told apart."""
    found = shown("Dear customer…", [A]).match(doubt((A, "Dear customer one"), (A, "Dear customer two")))

    assert [([0, 0], {0, 1})] == found


def test_the_closest_text_wins_over_all_requests():
    """A record goes to the request whose text it has, not to the first that it contains."""
    found = shown("hi there", [A]).match(doubt((A, "hi")), doubt((A, "hi there")))

    assert [([0], set()), ([7], set())] == found


def test_the_larger_request_has_the_first_choice():
    """Two copies on purpose: the request that held both numbers takes the record that has both."""
    outbox = Outbox().add(7, "hi", [A]).add(8, "hi", [A, B])

    assert [([7], set()), ([8, 8], set())] == outbox.match(doubt((A, "hi")), doubt((A, "hi"), (B, "hi")))


def test_each_record_takes_one_copy():
    """Copies that are sent on purpose have a record each; a third one takes no more."""
    outbox = Outbox().add(7, "hi", [A]).add(8, "hi", [A]).add(9, "hi", [A])

    assert [([7, 8], set())] == outbox.match(doubt((A, "hi"), (A, "hi")))


def test_a_record_leaves_to_others_the_request_that_they_fit():
    """Of two requests with the same message the one that is over sooner takes the earlier record."""
    long, short = doubt((A, "hi")), doubt((A, "hi"), until=NOW + 5)

    assert [([8], set()), ([7], set())] == Outbox().add(8, "hi", [A], at=NOW + 7).add(
        7, "hi", [A], at=NOW + 3
    ).match(long, short)


# --- accepted when the request should be over


@pytest.mark.parametrize(
    ("text", "recipients", "unexplained"),
    [
        ("hello there", [A], {0}),
        ("hello there لغو11", [A, FOREIGN], {0}),
        ("hello there", [FOREIGN], set()),
        ("another text", [A], set()),
    ],
)
def test_a_late_record_of_the_same_text_to_the_same_person_leaves_it_in_doubt(text, recipients, unexplained):
    """A request that was accepted late, and the same text of somebody else, cannot be told apart."""
    outbox = shown(text, recipients, at=NOW + 600)

    assert [([0], unexplained)] == outbox.match(doubt((A, "hello there")))


def test_a_late_record_is_that_of_a_later_request():
    """It proves what the later one sent, and says nothing about the earlier one."""
    early, late = doubt((A, "one")), doubt((A, "two"), since=NOW + 500, until=NOW + 700)

    assert [([0], set()), ([7], set())] == shown("two", [A], at=NOW + 600).match(early, late)


def test_a_late_record_says_nothing_about_rows_that_have_gone():
    """Else any later message of the account would keep them in doubt."""
    outbox = shown("other", [FOREIGN], at=NOW + 600)

    assert [([0], set())] == outbox.match(doubt((A, "hi"), gone={0}))
    assert [] == outbox.asked


@pytest.mark.parametrize(
    ("number", "fields", "is_taken", "questions"),
    [
        (20, {}, False, 20),
        (21, {}, True, 20),
        (700, {}, True, 20),
        (700, {"suffix": "\nلغو11"}, False, 0),
        (700, {"line": "Bank"}, True, 20),
        (700, {"foreign": {0}}, False, 1),
        (700, {"hidden": range(700)}, False, 20),
    ],
)
def test_late_records_of_more_than_twenty_personal_texts_are_ours(number, fields, is_taken, questions):
    """So many texts to the right people are no coincidence; of fewer, or of altered ones, nothing is sure."""
    outbox, messages = personal(number, at=NOW + 600, **fields)
    ids, unexplained = (list(range(1, number + 1)), set()) if is_taken else ([0] * number, {*range(number)})

    assert [(ids, unexplained - {*fields.get("foreign", ())})] == outbox.match(doubt(*messages))
    assert questions == len(outbox.asked)


@pytest.mark.parametrize(
    ("shown_to", "is_taken", "unexplained"), [(20, False, 20), (21, True, 4), (24, True, 1), (26, False, 25)]
)
def test_a_late_group_of_more_than_twenty_is_ours(shown_to, is_taken, unexplained):
    """If all that it shows are recipients of this text; one that it leaves out is in doubt."""
    people = [f"+98912{place:07}" for place in range(26)]
    outbox = shown("hi to all", people[:shown_to], at=NOW + 600)

    [(ids, left)] = outbox.match(doubt(*((each, "hi to all") for each in people[:25])))

    assert (is_taken, unexplained) == (7 in ids, len(left))


# --- scheduled


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ([7], set())),
        ({"at": NOW + 5000, "send_at": NOW + 50}, ([7], set())),
        ({"at": NOW + 5000}, ([0], {0})),
        ({"at": NOW + 5000, "count": 9}, ([0], {0})),
    ],
)
def test_a_scheduled_message_may_be_listed_by_another_time(fields, expected):
    """By its creation it is ours; by its own time it is not explained."""
    assert [expected] == shown("hi", [A], **fields).match(doubt((A, "hi"), is_scheduled=True))


def test_another_text_at_another_time_is_no_scheduled_message():
    """What is listed by another time counts by its text alone, and is not asked about."""
    outbox = shown("other", [A], at=NOW + 5000)

    assert [([0], set())] == outbox.match(doubt((A, "hi"), is_scheduled=True))
    assert [] == outbox.asked


# --- rows that have gone


@pytest.mark.parametrize("text", ["hi there", "hi there\nلغو11", "Bank: hi there"])
def test_a_message_whose_row_has_gone_is_known_by_its_digest(text):
    """Its record has its text, perhaps with something before or after it."""
    found = shown(text, ["09120000001"]).match(doubt((A, "hi there"), (B, "hello"), gone={0}))

    assert [([7, 0], set())] == found


def test_what_stands_around_a_text_is_known_once_it_was_found():
    """What was cut off of one record is cut off of the next one, on both sides if need be."""
    outbox = Outbox().add(7, "first لغو11", [A]).add(8, "second لغو11", [B])

    assert [([7, 8], set())] == outbox.match(doubt((A, "first"), (B, "second"), gone={0, 1}))


def test_a_group_of_which_some_rows_have_gone_is_taken_whole():
    """Those that are left tell the text, and their digests tell the others."""
    found = shown("hi there لغو11", [A, B, C]).match(
        doubt((A, "hi there"), (B, "hi there"), (C, "hi there"), gone={1, 2})
    )

    assert [([7, 7, 7], set())] == found


def test_a_gone_message_has_its_copies():
    """Each copy has a digest of its own."""
    outbox = Outbox().add(7, "hi", [A]).add(8, "hi", [A]).add(9, "hi", [A])

    assert [([7, 8], set())] == outbox.match(doubt((A, "hi"), (A, "hi"), gone={0, 1}))


def test_copies_may_have_one_digest():
    """A send that counts copies once is searched once."""
    request = Doubted(
        [digest(A, "hi", 0)] * 2,
        {},
        lambda recipient, text, _: digest(recipient, text, 0),
        LINE,
        NOW,
        NOW + 9,
    )
    outbox = Outbox().add(7, "hi", [A], at=NOW).add(8, "hi", [A], at=NOW)

    assert [([0, 7], set())] == outbox.match(request)


def test_a_gone_text_that_is_closer_wins():
    """The digest tells a text that is longer than the one of ours that it contains."""
    request = doubt((A, "hi"), (A, "hi there"), gone={1})

    assert [([0, 7], set())] == shown("hi there", [A]).match(request)
    assert [([0, 7], set())] == shown("hi there لغو11", [A]).match(request)


@pytest.mark.parametrize("recipients", [[FOREIGN], ["0912***0001"], [A, FOREIGN], None])
def test_any_other_record_leaves_a_gone_message_in_doubt(recipients):
    """Its recipient is not known, so no record is somebody else's for certain."""
    found = shown("hi there", recipients).match(doubt((A, "hi there"), (B, "hello"), gone={0}))

    assert [([0, 0], {0} if recipients else {0, 1})] == found


# --- answers that did not add up


@pytest.mark.parametrize(
    "fields", [{"line": "+983000606"}, {"at": None}, {"at": NOW - 9999}, {"is_failed": True}], ids=str
)
def test_an_id_of_the_answer_is_ours_whatever_the_record_says(fields):
    """The gateway itself has named it."""
    found = shown(None, [A], **fields).match(doubt((A, "hi"), (B, "ho"), answer_ids=(7, 8)))

    assert [([7, 0], set())] == found


def test_one_id_for_a_whole_request_is_the_id_of_all():
    """A file that got one id: all its recipients are shown under it, gone rows, too."""
    found = shown("x", [A, B]).match(doubt((A, "hi"), (B, "ho"), gone={1}, answer_ids=(7,)))

    assert [([7, 7], set())] == found


def test_a_named_record_gives_each_recipient_the_text_that_fits():
    """Where one recipient has two open messages the text tells them apart, or both stay in doubt."""
    request = doubt((A, "first"), (A, "second"), (B, "third"), answer_ids=(7,))

    assert [([0, 7, 0], set())] == shown("second", [A]).match(request)
    assert [([0, 0, 0], {0, 1})] == shown("other", [A]).match(request)
    assert [([0, 0, 0], {0, 1, 2})] == shown("other", ["***"]).match(request)
    assert [([0, 0, 0], {0, 1, 2})] == shown("other", None).match(request)


def test_an_id_of_an_answer_is_of_that_request_alone():
    """Another request with the same message does not get it."""
    found = shown("hi", [A]).match(doubt((A, "hi")), doubt((A, "hi"), answer_ids=(7,)))

    assert [([0], set()), ([7], set())] == found


# --- texts of their own


def test_one_record_of_a_file_gives_each_recipient_its_own_text():
    """A record may show one text, and its recipients their own."""
    rows = [Recipient(A, "hi"), Recipient("09120000002", "ho لغو11")]

    assert [([7, 7], set())] == shown("messages.csv", rows, count=2).match(doubt((A, "hi"), (B, "ho")))
    assert [([7, 7], set())] == shown("hi", rows).match(doubt((A, "hi"), (B, "ho")))


def test_a_settled_member_of_a_group_is_one_of_ours():
    """What is settled already is known again, and keeps what it has."""
    assert [([0, 7], set())] == shown("hi", [A, B]).match(doubt((A, "hi"), (B, "hi"), settled={0}))


def test_a_settled_message_is_not_looked_for_by_its_place():
    """It is no message whose row has gone: no record is asked about for it, and it gets no id."""
    outbox = shown("other", [FOREIGN])
    request = doubt((A, "hi"), (B, "ho"), gone={0}, settled={0}, answer_ids=(8,))

    assert [([0], set())] == outbox.match(doubt((A, "hi"), gone={0}, settled={0}))
    assert [] == outbox.asked
    assert [([0, 8], set())] == Outbox().add(8, "x", [A, B]).match(request)


# --- questions


def personal(number, *, suffix="", foreign=(), hidden=(), **fields):
    outbox = Outbox()
    messages = [(f"+98912{place:07}", f"Dear customer {place:05}") for place in range(number)]
    for place, (recipient, text) in enumerate(messages):
        to = None if place in hidden else [FOREIGN if place in foreign else recipient]
        outbox.add(place + 1, text + suffix, to, **fields)
    return outbox, messages


@pytest.mark.parametrize("fields", [{"suffix": ""}, {"suffix": "\nلغو11"}, {"line": "Bank"}], ids=str)
def test_a_lost_batch_of_personal_texts_asks_few_questions(fields):
    """A text that is one message's alone tells whose it is; a sample is enough."""
    outbox, messages = personal(1000, **fields)

    assert [(list(range(1, 1001)), set())] == outbox.match(doubt(*messages))
    assert 20 == len(outbox.asked)


def test_a_sample_speaks_for_its_own_request_alone():
    """Other requests were taken; this one was not, though somebody else got one of its texts."""
    outbox, messages = personal(60, foreign={26})
    outbox.records = [each for each in outbox.records if each.outbox_id - 1 not in {*range(24, 30)} - {26}]
    batches = [doubt(*messages[start : start + 6]) for start in range(0, 60, 6)]

    found = outbox.match(*batches)

    assert ([0] * 6, set()) == found.pop(4)
    assert all(0 not in ids for ids, _ in found)


@pytest.mark.parametrize(("batches", "questions"), [(1, 20), (4, 20), (50, 150)])
def test_many_lost_batches_share_the_questions(batches, questions):
    """Of each request at least three records are asked about, of one alone twenty."""
    outbox, messages = personal(50 * batches)
    lost = [doubt(*messages[start : start + 50]) for start in range(0, 50 * batches, 50)]

    assert all(0 not in ids for ids, _ in outbox.match(*lost))
    assert questions == len(outbox.asked)


def test_twenty_records_are_all_asked_about():
    """Few questions are not worth a sample."""
    outbox, messages = personal(20)

    assert [(list(range(1, 21)), set())] == outbox.match(doubt(*messages))
    assert 20 == len(outbox.asked)


def test_a_sample_that_is_not_ours_asks_about_all():
    """One foreign recipient of a text that only we should have, and none is taken by its text."""
    outbox, messages = personal(100, foreign={0, 50})
    [(ids, unexplained)] = outbox.match(doubt(*messages))

    assert ({0, 50}, set()) == ({place for place, found in enumerate(ids) if not found}, unexplained)
    assert 100 == len(outbox.asked)


def test_a_sample_that_shows_no_recipients_yet_asks_no_more():
    """All stay in doubt until the next reading."""
    outbox, messages = personal(100, hidden=range(100))

    assert [([0] * 100, set(range(100)))] == outbox.match(doubt(*messages))
    assert 20 == len(outbox.asked)


def test_of_too_many_records_with_our_text_only_those_that_an_answer_names_are_asked_about():
    """A try would ask for hours; what it does not ask about stays in doubt."""
    outbox = Outbox()
    for place in range(MOST_ASKED + 1):
        outbox.add(10 + place, "hi", [FOREIGN])
    outbox.add(7, "ho", [B])

    found = outbox.match(doubt((A, "hi")), doubt((B, "ho"), (C, "ho"), answer_ids=(7,)))

    assert [7] == outbox.asked
    assert [([0], {0}), ([7, 0], {1})] == found


def test_foreign_traffic_is_asked_about_only_while_a_place_is_open():
    """Once all have their ids nothing else is of interest; before, each record may be theirs."""
    outbox = Outbox().add(7, "hi", [A])
    for place in range(100, 110):
        outbox.add(place, f"other {place}", [FOREIGN])

    assert [([7], set())] == outbox.match(doubt((A, "hi")))
    assert [7] == outbox.asked
    assert [([7, 0], set())] == outbox.match(doubt((A, "hi"), (B, "ho")))
    assert 12 == len(outbox.asked)


def test_no_text_shows_in_a_repr():
    """Numbers, texts and lines stay out of logs."""
    request, outbox = doubt((A, "secret")), shown("secret", [A])

    for each in (request, *outbox.records, *outbox.recipients[7]):
        assert "secret" not in repr(each)
        assert "912000" not in repr(each)


# --- any outbox

NUMBERS = [f"+98912000{place:04}" for place in range(4)]
WORDS = [
    "Dear Ali, your order is here",
    "Dear Ali, your order has left",
    "سلام علي، كد ۱۲",
    "code 123456 for you",
]
ALTERED = [
    str,
    lambda text: text + "\nلغو11",
    lambda text: "Bank: " + text,
    lambda text: text.replace("ي", "ی").replace("ك", "ک").replace(" ", "\u00a0"),
    lambda text: text[:-4] + "…",
    lambda text: "****",
    lambda text: None,
]
SPELT = [str, lambda number: "0" + number[3:], lambda number: number[1:6] + "***" + number[-4:]]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_nothing_is_taken_for_what_it_is_not(data):
    """
    No message that was not taken gets an id, and none that was taken and is shown is believed absent.

    Groups are taken or not; the report alters texts and numbers; others send other texts to anybody.
    """
    draw = data.draw
    groups = draw(
        st.lists(
            st.tuples(st.sampled_from(WORDS), st.sets(st.sampled_from(NUMBERS), min_size=1), st.booleans()),
            min_size=1,
            max_size=4,
            unique_by=lambda group: group[0],
        )
    )
    alter, spell = draw(st.sampled_from(ALTERED)), draw(st.sampled_from(SPELT))
    outbox = Outbox()
    messages: list[tuple[str, str]] = []
    taken: dict[int, int] = {}
    for outbox_id, (text, numbers, is_taken) in enumerate(groups, 1):
        for number in sorted(numbers):
            taken[len(messages)] = outbox_id * is_taken
            messages.append((number, text))
        if is_taken:
            hidden = draw(st.booleans()) and draw(st.booleans())
            to = None if hidden else draw(st.permutations([spell(each) for each in sorted(numbers)]))
            outbox.add(outbox_id, alter(text), to, at=draw(st.sampled_from([NOW, NOW + 99, NOW + 99, None])))
    for outbox_id in range(100, 100 + draw(st.integers(0, 3))):
        outbox.add(
            outbox_id, draw(st.sampled_from(["alert", "Dear", None])), [draw(st.sampled_from(NUMBERS))]
        )
    gone = draw(st.sets(st.sampled_from(range(len(messages)))))
    outbox.records = draw(st.permutations(outbox.records))

    [(ids, unexplained)] = outbox.match(doubt(*messages, gone=gone))

    for place, outbox_id in taken.items():
        assert ids[place] in {0, outbox_id}
        assert ids[place] or place in unexplained or not outbox_id
