"""Findings that the sandbox's habits do not bring about."""

import pytest

from airflow_provider_p2psms.verifying import display_findings, schedule_findings, send_findings
from airflow_provider_p2psms.verifying.asking import Reply
from airflow_provider_p2psms.verifying.sends import Sent
from airflow_provider_p2psms.verifying.texts import BLANKS, LINE_END, Texts, describe_part, read_shown
from airflow_provider_p2psms.verifying.watching import Sighting

TEXTS = Texts("BCDFG")


def sent(ids, texts=TEXTS.rows, left_at=0.0):
    return Sent(texts, left_at, left_at, ids=tuple(ids))


def seen(outbox_id, text, **record):
    shown = {"messages_outbox_id": str(outbox_id), "message": text, **record}
    return Sighting(outbox_id, text, 0.0, 0.0, record=shown, by_id_s=1.0)


def test_texts_are_within_a_few_parts():
    """The long text has 290 characters, no text more, and all differ."""
    all_texts = (TEXTS.short, *TEXTS.groups, *TEXTS.rows, TEXTS.scheduled)

    assert 290 == max(map(len, all_texts))
    assert len(all_texts) == len(set(all_texts)) == len({text[:6] for text in all_texts})


@pytest.mark.parametrize(("texts", "in_order"), [(TEXTS.rows, True), (TEXTS.rows[::-1], False)])
def test_ids_in_another_order(texts, in_order):
    """The record of the first id shows the first text, or another one."""
    records = [seen(7, texts[0]), seen(8, texts[1])]

    finding = send_findings.find_order(sent([7, 8]), records, of="row")

    assert in_order is finding.values["in_order"]
    assert ("differs" if not in_order else "observed") == finding.result


def test_a_second_request_that_comes_too_late():
    """After 40 seconds the rule says nothing."""
    finding = send_findings.find_repeat(sent([1, 2]), sent([3, 4], left_at=41.0), of="file")

    assert "not observed" == finding.result


@pytest.mark.parametrize("ids", [[7, 7], [0, 8]])
def test_ids_that_are_none(ids):
    """One id twice, and an id of 0, are not as documented."""
    assert "differs" == send_findings.find_ids(sent(ids), of="row").result


@pytest.mark.parametrize(
    ("part", "shown", "words"),
    [
        (LINE_END, "one\rtwo", "line ends are shown as CR"),
        (LINE_END, "onetwo", "line ends are left out"),
        (LINE_END, "one\\ntwo", "line ends are shown as \\n"),
        (BLANKS, "a" * 50, f'shown as "{"a" * 40}…"'),
    ],
)
def test_parts_of_a_text(part, shown, words):
    """What is not known is shown, cut to 40 characters."""
    assert words == describe_part(part, shown)


@pytest.mark.parametrize(
    ("shown", "what"),
    [(7, "not shown as a text"), ("  ", "empty"), ("BCDFGBx", "changed, and not part by part")],
)
def test_texts_that_cannot_be_compared(shown, what):
    """The line says why."""
    assert what == read_shown(TEXTS.groups[0], shown).what


def test_pages_that_show_different_texts():
    """The pages that show another text than by_bulk are named."""
    one = seen(7, "text")
    reply = Reply(200, data=[{"recipient": "+989121234567", "message": "te**"}], is_envelope=True)

    finding = display_findings.find_text_pages([(one, reply)])

    assert ["recipients"] == finding.values["differing"]


def test_no_message_was_taken():
    """Nothing is known of the lag then."""
    assert "not observed" == display_findings.find_lag([], wait_s=1, is_list=True).result


def test_some_messages_are_not_shown():
    """Then no report_lag is safe."""
    finding = display_findings.find_lag([1.0, None], wait_s=9, is_list=True)

    assert "Not shown within 9 s: 1." in finding.observed
    assert "nothing; do not set report_lag" == finding.connection


@pytest.mark.parametrize(
    ("shown", "spelling"),
    [
        ("+989121234567", "in E.164"),
        ("09350000000", "in another form or another number"),
        ("0912***4567", "masked"),
    ],
)
def test_recipients_are_never_shown(shown, spelling):
    """The line names the spelling, not the number."""
    reply = Reply(200, data=[{"recipient": shown}], is_envelope=True)

    finding = display_findings.find_recipients([(seen(7, "t"), reply)], recipient="+989121234567", clean=str)

    assert [spelling] == finding.values["spellings"]
    assert shown not in finding.observed


def test_recipients_that_are_not_answered():
    """The page of recipients may be missing."""
    replies = [(seen(7, "t"), Reply(404, is_envelope=True))]

    finding = display_findings.find_recipients(replies, recipient="+989121234567", clean=str)

    assert "The page of recipients does not answer: HTTP 404." == finding.observed


@pytest.mark.parametrize(
    ("by_id", "listed", "result"),
    [
        ({"state_id": "7"}, {"state_id": 7}, "as documented"),
        ({"state_id": "7"}, None, "differs"),
        ({"state_id": 5}, {"state_id": 7}, "differs"),
        ({"state_id": "gone"}, None, "differs"),
    ],
)
def test_a_cancelled_message(by_id, listed, result):
    """It is in state 7, at both pages."""
    assert result == schedule_findings.find_after(by_id, listed).result
