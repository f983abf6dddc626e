"""Sends are killed at random instants under a failing gateway: nothing arrives twice, and nothing is lost."""

import os
import random

import pytest

from tests.chaos.chaos import Plan, run_trials, table, total
from tests.chaos.habits import MOST_LAG_S, draw_reports

SEED = 20
TRIALS = int(os.environ.get("P2PSMS_CHAOS_TRIALS", "60"))


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * TRIALS)
def test_sends_killed_at_random_instants():
    """Whatever the reports are like, nothing arrives twice, and what did not arrive is named so."""
    jobs = 4 * (os.cpu_count() or 1)

    outcomes = list(run_trials(range(TRIALS), seed=SEED, jobs=jobs, reports="both"))

    print(table(outcomes))  # noqa: T201 - shown where this fails
    assert [] == [(outcome.number, outcome.reports, outcome.wrong) for outcome in outcomes if outcome.wrong]
    assert TRIALS == len(outcomes)
    sums = total(outcomes)
    assert (0, 0) == (sums["twice"], sums["lost"])
    assert TRIALS == sums["by_itself"] + sums["for_a_person"]
    # Else the counts would prove nothing.
    assert min(sums["kills"], 5 * sums["zombies"], 5 * sums["faults"]) > TRIALS / 2
    documented = total(outcome for outcome in outcomes if outcome.reports.kind.startswith("as documented"))
    assert documented["by_itself"] > documented["trials"] * 0.8


def test_a_seed_gives_the_same_plan_again():
    """A trial can be run once more by its seed and number, with reports or without."""
    plan, again = Plan.draw(SEED, 7, "on"), Plan.draw(SEED, 7, "off")

    assert plan.rows == again.rows
    assert plan.disturbances == again.disturbances


@pytest.mark.parametrize("number", range(30))
def test_a_word_on_the_lag_is_only_given_where_it_is_kept(number: int):
    """No trial says of its reports that they show everything where they do not."""
    reports = draw_reports(random.Random(number), has_any=True)

    if reports.word_s is not None:
        assert reports.habits["report_lag_s"] <= MOST_LAG_S < reports.word_s
        assert not {"recipients_most", "recipient_left_out"} & set(reports.habits)
