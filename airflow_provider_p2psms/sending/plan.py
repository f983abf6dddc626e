"""
The first half of a send: every row is checked and placed before any request leaves.

Knows what may be sent at all (guards, duplicates, staging); knows neither HTTP nor where rows come from. A
plan holds no text itself: checked messages wait in its spool.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import compress, count, starmap
from operator import not_

from airflow_provider_p2psms.choices import OnInvalid
from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem, and_more, lay_out
from airflow_provider_p2psms.identity import fold_messages
from airflow_provider_p2psms.ledger.digest import Digester
from airflow_provider_p2psms.rows.check import Checked, join_blocks
from airflow_provider_p2psms.rows.message import Block, Message
from airflow_provider_p2psms.sending.fates import Fate, Fates
from airflow_provider_p2psms.sending.outcomes import Notes
from airflow_provider_p2psms.sending.price_classes import PriceClasses
from airflow_provider_p2psms.sending.spool import Entries, Spool, write_messages

SHOWN_PROBLEMS = 100
NOTHING_SENT = "This try sent nothing."
RAISE_GUARD = (
    "If that is right, raise the guard, and clear the task.",
    "If not, correct the rows, and clear the task.",
)
IN_DOUBT = Fate("in_doubt", reason="an earlier try may have sent it")
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

    ``spool`` has what nobody has tried to send yet, ``doubtful`` by digest what an earlier try may have sent.
    ``already_accepted`` recipients are of earlier tries. ``redirected`` counts those whose text goes to
    staging's one number. ``parts`` are those of all recipients and ``already_parts`` of earlier tries;
    ``parts_of`` has each message's, by its place among the fates; ``price_classes`` has each message's, where
    a cost is asked.
    """

    spool: Spool
    fates: Fates = field(default_factory=Fates)
    doubtful: dict[bytes, Entries] = field(default_factory=dict, repr=False)
    parts_of: bytearray = field(default_factory=bytearray, repr=False)
    price_classes: PriceClasses | None = None
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
        return len(self.fates)

    @property
    def handed_in(self) -> int:
        """How many recipients the rows named, good and bad."""
        return self.recipients + self.invalid + self.duplicates + self.held_back


def build_plan(
    results: Iterable[Message | RowProblem], plan: Plan, notes: Notes, *, rules: PlanRules, known: Known
) -> AbstractSet[bytes]:
    """
    Read all rows into the plan; raises nothing for a bad row (see ``check_plan``).

    :param results: what the check of the rows yields, in their order.
    :return: the digests of the ledger's messages that are among the rows.
    :raises InvalidMessageError: the rows cannot be read at all, e.g. a file without its header.
    """
    placer = _Placer(plan, notes, rules, known)
    for result in results.blocks() if isinstance(results, Checked) else join_blocks(results):
        if isinstance(result, RowProblem):
            _note_problem(plan, notes, result)
        else:
            placer.place(result)
    plan.redirected = plan.recipients if rules.redirect_to else 0
    plan.spool.finish()
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


def _note_problem(plan: Plan, notes: Notes, problem: RowProblem) -> None:
    plan.invalid += 1
    if len(plan.problems) < SHOWN_PROBLEMS:
        plan.problems.append(problem)
    notes.left_out(problem.row, problem.key, "invalid", f"{problem.column}: {problem.reason}")


class _Placer:
    """Gives each message a place among the fates, or says why it gets none: all of a block at once."""

    def __init__(self, plan: Plan, notes: Notes, rules: PlanRules, known: Known) -> None:
        self._plan, self._notes, self._known = plan, notes, known
        self._allowed = frozenset(map(str.encode, rules.allowed_recipients))
        self._redirect_to = rules.redirect_to.encode() if rules.redirect_to else None
        self.seen = set[bytes]()

    def place(self, block: Block) -> None:
        if self._redirect_to:
            block = replace(block, recipients=[self._redirect_to] * len(block))
        if self._known.key_column and not all(block.keys):
            block = self._without_blank_keys(block)
        written = write_messages(block.recipients, block.texts)
        digests = self._digest(block, written)
        if self._all_go(block, digests):
            self._notes.to_send(block.rows, block.keys)
        else:
            each = zip(block.rows, block.keys, block.recipients, digests, strict=True)
            goes = list(starmap(self._goes, each))
            block = block.select(goes)
            written, digests = (list(compress(column, goes)) for column in (written, digests))
        self._add(block, written, digests)

    def _digest(self, block: Block, written: Sequence[bytes]) -> list[bytes]:
        known = self._known
        if known.key_column:
            keys = [b"\0" + key.encode() for key in block.keys]
            digests = known.digester(write_messages(block.recipients, keys))
        else:
            digests = known.digester(fold_messages(written, are_simple=block.are_simple))
        if known.older is None:
            return digests
        return [
            older if older in known.accepted or older in known.doubtful else digest
            for older, digest in zip(known.older(written), digests, strict=True)
        ]

    def _without_blank_keys(self, block: Block) -> Block:
        column = str(self._known.key_column)
        for row, key in zip(block.rows, block.keys, strict=True):
            if not key:
                _note_problem(self._plan, self._notes, RowProblem(row, column, "", _NO_KEY))
        return block.select(block.keys)

    def _all_go(self, block: Block, digests: Sequence[bytes]) -> bool:
        """Tell whether all messages may go and are new, as is nearly always so, and note that then."""
        if self._allowed and not self._allowed.issuperset(block.recipients):
            return False
        if not self.seen.isdisjoint(digests):
            return False
        before = len(self.seen)
        self.seen.update(digests)
        if len(self.seen) - before == len(digests):
            return True
        self.seen.difference_update(digests)  # one stands twice among them, and none was there before
        return False

    def _goes(self, row: int, key: str, recipient: bytes, digest: bytes) -> bool:
        if self._allowed and recipient not in self._allowed:
            self._plan.held_back += 1
            self._notes.left_out(row, key, "refused", _HELD_BACK)
            return False
        if digest in self.seen:
            self._plan.duplicates += 1
            self._notes.left_out(row, key, "duplicate", _REPEATED[bool(self._redirect_to)])
            return False
        self.seen.add(digest)
        self._notes.to_send((row,), (key,))
        return True

    def _add(self, block: Block, written: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Add messages that go to the plan; those of earlier tries only where they are counted."""
        plan, accepted, doubtful = self._plan, self._known.accepted, self._known.doubtful
        plan.parts += sum(block.parts)
        plan.parts_of += block.parts
        if plan.price_classes is not None:
            plan.price_classes.add(block.recipients, block.texts, block.parts)
        ids = [accepted.get(digest, 0) for digest in digests] if accepted else [0] * len(digests)
        entries = Entries(written, block.texts, digests, plan.fates.add(ids))
        if any(ids):
            plan.already_accepted += len(ids) - ids.count(0)
            plan.already_parts += sum(compress(block.parts, ids))
            entries = entries.select(list(map(not_, ids)))
        if doubtful and not doubtful.isdisjoint(entries.digests):
            is_doubtful = list(map(doubtful.__contains__, entries.digests))
            for place in compress(count(), is_doubtful):
                entry = entries.cut(place, place + 1)
                plan.doubtful[entry.digests[0]] = entry
                plan.fates.end(entry.places, IN_DOUBT)
            entries = entries.select(list(map(not_, is_doubtful)))
        plan.spool.add(entries)


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
