"""
The first half of a send: every row is checked and placed before any request leaves.

Knows what may be sent at all (guards, duplicates, staging); knows neither HTTP nor where rows come from. A
plan holds no text itself: checked messages wait in its spool.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import compress

from msgspec.structs import replace

from airflow_provider_p2psms.batch import IN_DOUBT, Batch, join_messages
from airflow_provider_p2psms.choices import OnInvalid
from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem, and_more, lay_out
from airflow_provider_p2psms.identity import fold_messages
from airflow_provider_p2psms.ledger.digest import Digester
from airflow_provider_p2psms.sending.outcomes import LeftOut, Outcome, OutcomeName, Outcomes
from airflow_provider_p2psms.sending.spool import Request, Spool

SHOWN_PROBLEMS = 100
NOTHING_SENT = "This try sent nothing."
RAISE_GUARD = (
    "If that is right, raise the guard, and clear the task.",
    "If not, correct the rows, and clear the task.",
)
MAYBE_SENT = Outcome("in_doubt", reason="an earlier try may have sent it")
_NO_KEY = 'is empty, and identity is "key": a row without a key cannot be told from another'
_HELD_BACK = "held back: not among the connection's allowed_recipients"
_REPEATED = (
    "an earlier row has this text for this number",
    "an earlier row has this text, and redirect_to gets it once",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRules:
    """
    What may be sent; above a ``max_…`` nothing is.

    ``allowed_recipients`` (when not empty) and ``redirect_to`` are staging's, in E.164: only these numbers
    get texts, or this one gets them all.
    """

    on_invalid: OnInvalid = "fail"
    max_recipients: int | None = None
    max_parts: int | None = None
    allowed_recipients: frozenset[str] = field(default=frozenset(), repr=False)
    redirect_to: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    What the ledger knows: the ids of messages accepted by earlier tries, and which are in doubt.

    ``older`` digests messages as ledgers of format 1 do, where there are entries of that format. With
    ``key_column`` a message is known by its recipient and its key, and not by its text.
    """

    digester: Digester
    older: Digester | None = None
    key_column: str | None = None
    accepted: Mapping[bytes, int] = field(default_factory=dict)
    doubtful: AbstractSet[bytes] = frozenset()


@dataclass(slots=True)
class Plan:
    """
    What the check found: counts of recipients, and where their messages wait.

    ``spool`` has all messages, ``requests`` are for those that nobody has tried to send yet, and ``doubtful``
    has by digest what an earlier try may have sent. ``already_accepted`` recipients, of ``already_parts``,
    are of earlier tries. ``redirected`` counts those whose text goes to staging's one number. ``parts`` are
    those of all recipients.
    """

    spool: Spool
    outcomes: Outcomes = field(default_factory=Outcomes)
    requests: list[Request] = field(default_factory=list)
    doubtful: dict[bytes, Batch] = field(default_factory=dict, repr=False)
    already_accepted: int = 0
    already_parts: int = 0
    parts: int = 0
    invalid: int = 0
    duplicates: int = 0
    held_back: int = 0
    redirected: int = 0
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def recipients(self) -> int:
        """How many recipients get a text by this send, those of earlier tries included."""
        return len(self.outcomes)

    @property
    def handed_in(self) -> int:
        """How many recipients the rows named, good and bad."""
        return self.recipients + self.invalid + self.duplicates + self.held_back


def build_plan(
    results: Iterable[Batch | RowProblem], plan: Plan, *, rules: PlanRules, known: Known
) -> AbstractSet[bytes]:
    """
    Read all rows into the plan; raises nothing for a bad row (see ``check_plan``).

    :param results: the batches of the check, and its problems between them.
    :return: the digests of the ledger's messages that are among the rows.
    :raises InvalidMessageError: the rows cannot be read at all, e.g. a file without its header.
    """
    placer = _Placer(plan, rules, known)
    for result in results:
        if isinstance(result, RowProblem):
            placer.leave_out(result)
        else:
            placer.place(result)
    plan.redirected = plan.recipients if rules.redirect_to else 0
    plan.requests = plan.spool.requests()
    return {*known.accepted, *known.doubtful} & placer.seen


def check_plan(plan: Plan, rules: PlanRules) -> None:
    """
    Refuse the whole send if a row is bad (and none may be skipped) or a guard is passed.

    :raises InvalidMessageError: with the first 100 problems, and the count of all.
    """
    if plan.invalid and rules.on_invalid == "fail":
        raise InvalidMessageError(_report(plan), problems=tuple(plan.problems), count=plan.invalid)
    for name, value, limit in (
        ("max_recipients", plan.recipients, rules.max_recipients),
        ("max_parts", plan.parts, rules.max_parts),
    ):
        if limit is not None and value > limit:
            raise InvalidMessageError(
                lay_out(
                    f"{name} is {limit:,}, and this send comes to {value:,}.",
                    NOTHING_SENT,
                    options=RAISE_GUARD,
                )
            )


class _Placer:
    """Gives each message a place among the outcomes, or says why it gets none: all of a batch at once."""

    def __init__(self, plan: Plan, rules: PlanRules, known: Known) -> None:
        self._plan, self._known = plan, known
        self._allowed = frozenset(map(str.encode, rules.allowed_recipients))
        self._redirect_to = rules.redirect_to.encode() if rules.redirect_to else None
        self.seen = set[bytes]()

    def place(self, batch: Batch) -> None:
        if self._redirect_to:
            _, texts = batch.columns()
            batch = replace(batch, messages=join_messages([self._redirect_to] * len(batch), texts))
        if self._known.key_column and not all(batch.keys):
            batch = self._without_blank_keys(batch)
        digests = self._digest(batch)
        left_out: list[LeftOut] = []
        if not self._all_go(batch, digests):
            goes = self._who_goes(batch, digests, left_out)
            batch, digests = batch.select(goes), list(compress(digests, goes))
        self._add(replace(batch, digests=b"".join(digests)), digests, left_out)

    def leave_out(self, problem: RowProblem) -> None:
        plan = self._plan
        plan.invalid += 1
        if len(plan.problems) < SHOWN_PROBLEMS:
            plan.problems.append(problem)
        reason = f"{problem.column}: {problem.reason}"
        plan.spool.add(Batch(), [LeftOut(len(plan.outcomes), problem.row, problem.key, "invalid", reason)])

    def _digest(self, batch: Batch) -> list[bytes]:
        known = self._known
        if known.key_column:
            recipients, _ = batch.columns()
            each = zip(recipients, map(str.encode, batch.keys), strict=True)
            digests = known.digester([b"%b\0\0%b" % (recipient, key) for recipient, key in each])
        else:
            digests = known.digester(fold_messages(batch.messages, are_simple=batch.are_simple))
        if known.older is None:
            return digests
        return [
            older if older in known.accepted or older in known.doubtful else digest
            for older, digest in zip(known.older(batch.split()), digests, strict=True)
        ]

    def _without_blank_keys(self, batch: Batch) -> Batch:
        column = str(self._known.key_column)
        for row, key in zip(batch.rows, batch.keys, strict=True):
            if not key:
                self.leave_out(RowProblem(row, column, "", _NO_KEY))
        return batch.select(batch.keys)

    def _all_go(self, batch: Batch, digests: Sequence[bytes]) -> bool:
        """Tell whether all messages may go and are new, as is nearly always so, and note that then."""
        if self._allowed and not self._allowed.issuperset(batch.columns()[0]):
            return False
        if not self.seen.isdisjoint(digests):
            return False
        before = len(self.seen)
        self.seen.update(digests)
        if len(self.seen) - before == len(digests):
            return True
        self.seen.difference_update(digests)  # one stands twice among them, and none was there before
        return False

    def _who_goes(self, batch: Batch, digests: Sequence[bytes], left_out: list[LeftOut]) -> list[bool]:
        """Say of each message whether it goes; ``left_out`` gets the rows of all others."""
        goes: list[bool] = []
        recipients, _ = batch.columns()
        place = len(self._plan.outcomes)
        for row, key, recipient, digest in zip(batch.rows, batch.keys, recipients, digests, strict=True):
            name, reason = self._why_not(recipient, digest)
            if name:
                left_out.append(LeftOut(place, row, key, name, reason))
            else:
                self.seen.add(digest)
                place += 1
            goes.append(not name)
        return goes

    def _why_not(self, recipient: bytes, digest: bytes) -> tuple[OutcomeName | None, str]:
        if self._allowed and recipient not in self._allowed:
            self._plan.held_back += 1
            return "refused", _HELD_BACK
        if digest in self.seen:
            self._plan.duplicates += 1
            return "duplicate", _REPEATED[bool(self._redirect_to)]
        return None, ""

    def _add(self, batch: Batch, digests: Sequence[bytes], left_out: Iterable[LeftOut]) -> None:
        """Add messages that have a place, with what earlier tries made of them."""
        plan, accepted, doubtful = self._plan, self._known.accepted, self._known.doubtful
        plan.parts += sum(batch.parts)
        ids = [accepted.get(digest, 0) for digest in digests] if accepted else [0] * len(digests)
        plan.already_accepted += len(ids) - ids.count(0)
        plan.already_parts += sum(compress(batch.parts, ids))
        batch = replace(batch, places=plan.outcomes.add(ids))
        if not doubtful.isdisjoint(digests):
            ids = [
                IN_DOUBT if not outbox_id and digest in doubtful else outbox_id
                for outbox_id, digest in zip(ids, digests, strict=True)
            ]
            in_doubt = [place for place, outbox_id in enumerate(ids) if outbox_id == IN_DOUBT]
            plan.doubtful |= {each.digests: each for each in batch.pieces((at, at + 1) for at in in_doubt)}
            plan.outcomes.end([batch.places[at] for at in in_doubt], MAYBE_SENT)
        plan.spool.add(replace(batch, ids=ids if any(ids) else ()), left_out)


def _report(plan: Plan) -> str:
    rows = "row" if plan.invalid == 1 else "rows"
    more = plan.invalid - len(plan.problems)
    options = "Correct the rows, and clear the task.", 'Or set on_invalid="skip" to send the others.'
    return "\n".join(
        (
            lay_out(f"{plan.invalid:,} bad {rows} of {plan.handed_in:,}.", NOTHING_SENT, options=options),
            *(f"  {problem}" for problem in plan.problems),
            *([f"  …{and_more(more)}"] if more else []),
        )
    )
