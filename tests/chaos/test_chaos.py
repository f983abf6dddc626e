"""Sends are killed at random instants under a failing gateway: nothing arrives twice, and nothing is lost."""

import os
from collections.abc import Sequence

import pytest

from tests.chaos.chaos import Outcome, Plan, run_trials, table, total

SEED = 20
TRIALS = int(os.environ.get("P2PSMS_CHAOS_TRIALS", "100"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 10 * TRIALS)]


@pytest.fixture(scope="module")
def outcomes() -> Sequence[Outcome]:
    """Run the trials, with and without reports."""
    jobs = 4 * (os.cpu_count() or 1)
    return list(run_trials(range(TRIALS), seed=SEED, jobs=jobs, reports="both"))


def test_no_trial_breaks_a_rule(outcomes: Sequence[Outcome]):
    """Every message arrives once; without reports none arrives twice, and each is named as what it is."""
    print(table(outcomes))  # noqa: T201 - shown by pytest -s, and where this fails

    assert [] == [(outcome.number, outcome.reports, outcome.wrong) for outcome in outcomes if outcome.wrong]
    assert TRIALS == len(outcomes)


def test_with_reports_nothing_stays_in_doubt(outcomes: Sequence[Outcome]):
    """Where the gateway has reports, all is accepted in the end: none twice, none lost, none in doubt."""
    sums = total(outcome for outcome in outcomes if outcome.reports)

    assert (0, 0, 0) == (sums["twice"], sums["lost"], sums["in_doubt"])
    assert sums["messages"] == sums["accepted"]


def test_the_trials_disturb(outcomes: Sequence[Outcome]):
    """The trials did kill, put to sleep and fail: else their counts would prove nothing."""
    sums = total(outcomes)

    assert TRIALS <= sums["kills"]
    assert TRIALS < 10 * sums["zombies"]
    assert TRIALS < 10 * sums["faults"]


def test_a_seed_gives_the_same_plan_again():
    """A trial can be run once more by its seed and number, with reports or without."""
    plan, again = Plan.draw(SEED, 7, "on"), Plan.draw(SEED, 7, "off")

    assert plan.rows == again.rows
    assert plan.disturbances == again.disturbances
