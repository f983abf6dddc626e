"""The page on scale: its tables are those of the script, and the script counts with what the package does."""

import re
from dataclasses import replace

import pytest

from airflow_provider_p2psms.delivery.lookup import PAGE as LOOKUP_PAGE
from airflow_provider_p2psms.gateway.matching import MOST_ASKED
from airflow_provider_p2psms.gateway.outbox import MOST_PAGES, PAGE
from airflow_provider_p2psms.operators.sms import LIST_IDS_UP_TO, PeerToPeerSMSOperator
from airflow_provider_p2psms.sending.times import Times
from airflow_provider_p2psms.transfers.shards import _MOST_SLICES, ROWS
from scripts.scale import BEGIN, END, Day, Figures, KilledSend, limits, render
from tests.pages import PAGES

FIGURES = Figures()


def test_the_page_has_the_tables_of_the_script():
    """After a change of a figure `python scripts/scale.py --write` is due."""
    assert f"\n{render(FIGURES)}\n" == PAGES["scale.md"].partition(BEGIN)[2].partition(END)[0]


def test_the_script_counts_with_the_defaults():
    """Pages, questions, rows and slices are those of the package."""
    assert MOST_ASKED == FIGURES.most_unknown
    assert (PAGE, MOST_PAGES, Times().questions / Times().questions_per_s) == (
        FIGURES.page_records, FIGURES.most_pages, FIGURES.questions_a_minute / 60,
    )  # fmt: skip
    assert (LOOKUP_PAGE, ROWS, _MOST_SLICES) == (
        FIGURES.page_records, FIGURES.shard_rows, FIGURES.most_slices,
    )  # fmt: skip
    assert (Times().poll_every_s, Times().poll_at_least_every_s) == (
        FIGURES.first_pause_s, FIGURES.longest_pause_s,
    )  # fmt: skip
    assert f"recipients a request (default {FIGURES.batch_rows:,})" in str(PeerToPeerSMSOperator.__doc__)
    # A shard's ids are a list by default: the table has both sizes.
    assert LIST_IDS_UP_TO >= FIGURES.shard_rows


def test_the_rates_are_those_of_the_cluster():
    """Messages a second are those that the page of the cluster has."""
    rows = re.findall(r"^\| (\d+) \| ([\d,]+) \|", PAGES["cluster.md"], re.MULTILINE)

    assert [(int(sends), int(rate.replace(",", ""))) for sends, rate in rows] == [*FIGURES.messages_a_second]


def test_the_pace_is_the_one_that_was_measured():
    """Two hundred pages took the retry from 11 to 372 seconds after the kill."""
    first, last = KilledSend(100_000_000, replace(FIGURES, most_pages=200)).looks

    assert 372 == pytest.approx(first.ended_s, abs=2)
    assert last.began_s == first.ended_s


@pytest.mark.parametrize(("a_second", "is_settled"), [(10, True), (400, False)])
def test_a_look_reads_what_was_sent_until_it_began(a_second, is_settled):
    """At a low rate the first looks take no time; at a high one each takes minutes, and the next has more."""
    killed = KilledSend(a_second * 86_400, FIGURES)

    assert (15 + killed.looks[-1].began_s) * a_second == killed.looks[-1].records
    assert is_settled == killed.is_settled


def test_a_larger_report_moves_the_limit():
    """What gives way first is computed from what a retry may read."""
    unnoticed = replace(FIGURES, first_look_s=FIGURES.first_look_s + FIGURES.unnoticed_s)
    part = "A killed worker that sent personal texts: what is in doubt is settled"
    most = dict(limits(FIGURES))[part]

    assert dict(limits(replace(FIGURES, most_pages=800)))[part] > most
    assert KilledSend(most, unnoticed).is_settled
    assert not KilledSend(most + 10_000, unnoticed).is_settled


def test_a_day_with_one_row_more_has_one_shard_more():
    """Shards, and all that a shard has, are counted whole."""
    assert [10, 11] == [Day(count, FIGURES).shards for count in (1_000_000, 1_000_001)]
