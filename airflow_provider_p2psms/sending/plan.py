"""
The first half of a send: every row is checked and placed before any request leaves.

Knows what may be sent at all (guards, duplicates, staging); knows neither HTTP nor where rows come from. A
plan holds no text itself: checked messages wait in its spool.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.ledger.digest import Digester
from airflow_provider_p2psms.rows.check import Checked, join_blocks
from airflow_provider_p2psms.rows.message import Block, Message
from airflow_provider_p2psms.sending.fates import Fate, Fates
from airflow_provider_p2psms.sending.kinds import Kinds
from airflow_provider_p2psms.sending.outcomes import Notes
from airflow_provider_p2psms.sending.spool import Entries, Spool

SHOWN_PROBLEMS = 100
IN_DOUBT = Fate("in_doubt", reason="an earlier try may have sent it")
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

    on_invalid: Literal["fail", "skip"] = "fail"
    max_recipients: int | None = None
    max_parts: int | None = None
    allowed_recipients: frozenset[str] = field(default=frozenset(), repr=False)
    redirect_to: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the ledger knows: the ids of messages accepted by earlier tries, and which are in doubt."""

    digester: Digester
    accepted: Mapping[bytes, int] = field(default_factory=dict)
    doubtful: AbstractSet[bytes] = frozenset()


@dataclass(slots=True)
class Plan:
    """
    What the check found: counts of recipients, and where their messages wait.

    ``spool`` has what nobody has tried to send yet, ``doubtful`` by digest what an earlier try may have sent.
    ``already_accepted`` recipients are of earlier tries. ``redirected`` counts those whose text goes to
    staging's one number. ``parts`` are those of all recipients and ``already_parts`` of earlier tries;
    ``parts_of`` has each message's, by its place among the fates, and so has ``kinds`` its kind, where a cost
    is asked.
    """

    spool: Spool
    fates: Fates = field(default_factory=Fates)
    doubtful: dict[bytes, Entries] = field(default_factory=dict, repr=False)
    parts_of: bytearray = field(default_factory=bytearray, repr=False)
    kinds: Kinds | None = None
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
) -> None:
    """
    Read all rows into the plan; raises nothing for a bad row (see ``check_plan``).

    :param results: what the check of the rows yields, in their order.
    :raises InvalidMessageError: the rows cannot be read at all, e.g. a file without its header.
    """
    seen = set[bytes]()
    blocks = results.blocks() if isinstance(results, Checked) else join_blocks(results)
    for result in blocks:
        if isinstance(result, RowProblem):
            _note_problem(plan, notes, result)
        else:
            _place_block(plan, notes, result, rules, known, seen)
    plan.redirected = plan.recipients if rules.redirect_to else 0
    plan.spool.finish()


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
                f"{name} is {limit:,}, and this send comes to {value:,}. Nothing was sent. Raise the guard "
                "if that is what you want."
            )


def _note_problem(plan: Plan, notes: Notes, problem: RowProblem) -> None:
    plan.invalid += 1
    if len(plan.problems) < SHOWN_PROBLEMS:
        plan.problems.append(problem)
    notes.left_out(problem.row, problem.key, "invalid", f"{problem.column}: {problem.reason}")


def _place_block(  # noqa: PLR0917 - as `_place`
    plan: Plan, notes: Notes, block: Block, rules: PlanRules, known: Known, seen: set[bytes]
) -> None:
    """Place messages together if all of them are new and may go, which is nearly always; else one by one."""
    if rules.allowed_recipients or rules.redirect_to:
        for message in block:
            _place_staged(plan, notes, message, rules, known, seen)
        return
    digests = known.digester.all(block.recipients, block.texts)
    if not _add_new(digests, known, seen):
        for message, digest in zip(block, digests, strict=True):
            _place(plan, notes, message, message.recipient, digest, rules, known, seen)
        return
    notes.to_send(block.rows, block.keys)
    _count_parts(plan, block.recipients, block.texts, block.parts)
    places = plan.fates.add([0] * len(block))
    plan.spool.add(Entries(block.recipients, block.texts, digests, places))


def _count_parts(plan: Plan, recipients: Sequence[str], texts: Sequence[str], parts: Sequence[int]) -> None:
    plan.parts += sum(parts)
    plan.parts_of.extend(parts)
    if plan.kinds is not None:
        plan.kinds.add(recipients, texts, parts)


def _add_new(digests: list[bytes], known: Known, seen: set[bytes]) -> bool:
    """Note what is seen, if all of it is new: to this try, within itself, and to earlier tries."""
    for earlier in (known.accepted.keys(), known.doubtful, seen):
        if earlier and not earlier.isdisjoint(digests):
            return False
    before = len(seen)
    seen.update(digests)
    if len(seen) - before == len(digests):
        return True
    seen.difference_update(digests)  # one stands twice among them, and none was there before
    return False


def _place_staged(  # noqa: PLR0917 - as `_place`
    plan: Plan, notes: Notes, message: Message, rules: PlanRules, known: Known, seen: set[bytes]
) -> None:
    recipient = rules.redirect_to or message.recipient
    if rules.allowed_recipients and recipient not in rules.allowed_recipients:
        plan.held_back += 1
        notes.left_out(
            message.row, message.key, "refused", "held back: not among the connection's allowed_recipients"
        )
        return
    digest = known.digester(recipient, message.text)
    _place(plan, notes, message, recipient, digest, rules, known, seen)


def _place(  # noqa: PLR0917 - called for each of many rows: keywords cost time
    plan: Plan,
    notes: Notes,
    message: Message,
    recipient: str,
    digest: bytes,
    rules: PlanRules,
    known: Known,
    seen: set[bytes],
) -> None:
    if digest in seen:
        plan.duplicates += 1
        notes.left_out(message.row, message.key, "duplicate", _REPEATED[bool(rules.redirect_to)])
        return
    seen.add(digest)
    notes.to_send((message.row,), (message.key,))
    _count_parts(plan, (recipient,), (message.text,), (message.parts,))
    outbox_id = known.accepted.get(digest, 0)
    (place,) = plan.fates.add((outbox_id,))
    if outbox_id:
        plan.already_accepted += 1
        plan.already_parts += message.parts
        return
    entry = Entries((recipient,), (message.text,), (digest,), (place,))
    if digest in known.doubtful:
        plan.doubtful[digest] = entry
        plan.fates.end(entry.places, IN_DOUBT)
    else:
        plan.spool.add(entry)


def _report(plan: Plan) -> str:
    rows = "row" if plan.invalid == 1 else "rows"
    shown = "\n".join(f"  {problem}" for problem in plan.problems)
    more = plan.invalid - len(plan.problems)
    rest = f"\n  … and {more:,} more" if more else ""
    return (
        f"{plan.invalid:,} bad {rows} of {plan.handed_in:,}; nothing was sent. Mend them, or set "
        f'on_invalid="skip" to send the others.\n{shown}{rest}'
    )
