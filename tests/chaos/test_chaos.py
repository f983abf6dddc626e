"""Sends are killed at random instants under a failing gateway: nothing arrives twice, and nothing is lost."""

import os

import pytest

from tests.chaos.chaos import Plan, run_trials, table, total

SEED = 20
TRIALS = int(os.environ.get("P2PSMS_CHAOS_TRIALS", "100"))


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * TRIALS)
def test_sends_killed_at_random_instants():
    """
    Every message arrives once, and none stays in doubt.

    Without reports none arrives twice, and each that was not accepted is named in the outcomes.
    """
    jobs = 4 * (os.cpu_count() or 1)

    outcomes = list(run_trials(range(TRIALS), seed=SEED, jobs=jobs, reports="both"))

    print(table(outcomes))  # noqa: T201 - shown where this fails
    assert [] == [(outcome.number, outcome.reports, outcome.wrong) for outcome in outcomes if outcome.wrong]
    assert TRIALS == len(outcomes)
    with_reports, sums = total(outcome for outcome in outcomes if outcome.reports), total(outcomes)
    assert (0, 0, 0) == (sums["twice"], sums["lost"], with_reports["in_doubt"])
    assert with_reports["messages"] == with_reports["accepted"]
    # Else the counts would prove nothing.
    assert min(sums["kills"], 5 * sums["zombies"], 5 * sums["faults"]) > TRIALS / 2


def test_a_seed_gives_the_same_plan_again():
    """A trial can be run once more by its seed and number, with reports or without."""
    plan, again = Plan.draw(SEED, 7, "on"), Plan.draw(SEED, 7, "off")

    assert plan.rows == again.rows
    assert plan.disturbances == again.disturbances
