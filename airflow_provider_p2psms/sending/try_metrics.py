"""What one try of a send did, for whoever counts: the try before and the one after have their own."""

from dataclasses import dataclass

from airflow_provider_p2psms.sending.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class TryMetrics:
    """
    Recipients by what became of them in this try, as the outcomes file names it; POSTs; and SMS parts.

    ``accepted`` and ``parts`` (an estimate) are what this try sent or found to be taken: summed over all
    tries they are those of the send. ``refused`` is what was refused, held back or not sent.
    """

    accepted: int
    refused: int
    invalid: int
    in_doubt: int
    duplicates: int
    requests: int
    parts: int


def count_try(plan: Plan, *, requests: int) -> TryMetrics:
    """Count a try that has ended, in whatever way."""
    outcomes = plan.outcomes
    counts, parts = outcomes.count(), plan.parts
    if not outcomes.all_accepted():  # seldom: the spool is read once more for it
        parts = outcomes.accepted_parts(batch for batch, _ in plan.spool)
    return TryMetrics(
        accepted=counts["accepted"] - plan.already_accepted,
        refused=counts["refused"] + plan.held_back,
        invalid=plan.invalid,
        in_doubt=counts["in_doubt"],
        duplicates=plan.duplicates,
        requests=requests,
        parts=parts - plan.already_parts,
    )
