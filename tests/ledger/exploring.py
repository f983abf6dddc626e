"""Follows all that may happen in a world, to the end, and holds the promises against every state."""

import gc
from collections.abc import Iterator

from airflow_provider_p2psms.errors import OutcomeUnknownError, ReplacedError
from airflow_provider_p2psms.ledger.digest import NO_DIGEST
from airflow_provider_p2psms.sending.machine import Ask, Pause

from .world import Step, World
from .world_rules import LostError, Rules, WrongError, digest
from .world_try import Try


def explore(rules: Rules) -> int:
    """
    Follow all that may happen.

    In each state a last try begins, too, with all others dead, to which nothing bad happens.

    :return: how many states there are.
    :raises WrongError: a promise is broken; the text tells how.
    """
    gc.freeze()
    world = World(rules)
    seen, tried = {world.key()}, set[bytes]()
    way: list[tuple[tuple[object, ...], Iterator[Step]]] = [((), world.steps())]
    label: tuple[object, ...] = ()
    try:
        while way:
            label, new = next(way[-1][1], ((), None))
            if new is None:
                way.pop()
                continue
            _check_outcomes(new)
            new.bury(idle=True)
            if (key := new.key()) not in seen:
                seen.add(key)
                way.append((label, new.steps()))
                if new.may_begin() and (key := new.key(fresh=True)) not in tried:
                    tried.add(key)
                    _begin_last_try(new)
    except WrongError as err:
        told = "\n".join(" ".join(map(str, each)) for each in [*(label for label, _ in way[1:]), label])
        raise type(err)(f"{err}, after:\n{told}") from None
    return len(seen)


def _check_outcomes(world: World) -> None:
    for each in world.tries:
        if each.machine is None:
            continue
        for message in world.rules.messages:
            known, ids = each.machine._outcomes[message], world.ids_of(message)
            if known.name == "accepted" and known.outbox_id not in ids:
                raise LostError(f"try {each.number} has the id {known.outbox_id} for message {message}")
            is_final = each.over and not isinstance(each.machine.failure, ReplacedError)
            # A person's word that it was not taken counts, right or wrong.
            is_final = is_final and message not in world.words
            if is_final and each.number == len(world.tries) and ids and known.name == "refused":
                raise LostError(f"message {message} was taken, and try {each.number} ends with it as refused")


def _begin_last_try(world: World) -> None:
    """Let what the dead have under way arrive as late as it can, or never."""
    for late in (True, False) if any(each.taken is None for each in world.requests) else (False,):
        new = world.copy()
        new.bury()
        new.faults = new.store_faults = 0
        new.is_last = True
        new.tries.append(Try(len(new.tries) + 1, 0))
        told: list[object] = []
        try:
            _check_end(_go_on(new, told, late=late))
        except WrongError as err:
            steps = "\n  ".join(map(str, told))
            raise type(err)(f"{err}, in a last try (what is under way arrives {late=}):\n  {steps}") from None


def _go_on(world: World, told: list[object], *, late: bool) -> World:
    number, new = len(world.tries), world
    for _ in range(300):
        for each in new.requests:
            due = each.taken is None and (each.owner == number or (late and new.now == each.until))
            if due and not new.repeats(each):
                new = new.arrive(each, each.messages)
        label, new = next(new.steps_of(number))
        told.append((new.now, *label))
        if not new.tries[-1].alive:
            return new
        if new.tries[-1].doing in {Ask, Pause}:
            new = new.tick()
    raise LostError("it does not end")


def _check_end(world: World) -> None:
    it = world.tries[-1]
    machine, history = it.machine, it.history
    for message in world.rules.messages:
        known, ids = machine._outcomes[message], world.ids_of(message)
        if message in world.words:
            continue
        if ids and known.name not in {"accepted", "in_doubt"}:
            raise LostError(f"message {message} was taken, and ends as {known.name}")
        if known.name == "accepted" and known.outbox_id not in ids:
            raise LostError(f"message {message} has the id {known.outbox_id}, and was taken as {ids}")
    doubtful = {each for item in machine.doubtful for each in item.digests} - {NO_DIGEST}
    is_for_person = isinstance(machine.failure, OutcomeUnknownError) and bool(doubtful & history.absent)
    if not world.rules.ends_well or is_for_person:
        return
    if machine.failure or doubtful or not (machine.completion or history.completion):
        raise LostError(f"it does not end well: {machine.failure!r}")
    after = world.records.read[0]
    if after.doubts or {*after.accepted} != {digest(each) for each in world.rules.messages}:
        raise LostError("the ledger does not say of all messages that they were accepted")
