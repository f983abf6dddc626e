"""Follows all that may happen in a world, to the end, and holds the promises against every state."""

from collections.abc import Iterator

from airflow_provider_p2psms.ledger.protocol import Ask, Pause

from .world import NAME, LostError, Port, Rules, Step, Try, World, WrongError, digest, id_of


def explore(rules: Rules) -> int:
    """
    Follow all that may happen.

    In each state a last try begins, too, with all others dead, to which nothing bad happens.

    :return: how many states there are.
    :raises WrongError: a promise is broken; the text tells how.
    """
    world = World(rules)
    seen, tried = {world.key()}, set[bytes]()
    way: list[tuple[tuple[object, ...], Iterator[Step]]] = [((), world.steps())]
    try:
        while way:
            label, new = next(way[-1][1], ((), None))
            if new is None:
                way.pop()
                continue
            _check_fates(new)
            new.bury(idle=True)
            if (key := new.key()) not in seen:
                seen.add(key)
                way.append((label, new.steps()))
                if (key := new.key(fresh=True)) not in tried:
                    tried.add(key)
                    _begin_last_try(new)
    except WrongError as err:
        told = "\n".join(" ".join(map(str, label)) for label, _ in way[1:])
        raise type(err)(f"{err}, after:\n{told}") from None
    return len(seen)


def _check_fates(world: World) -> None:
    for each in world.tries:
        for message, fate in enumerate(each.fates):
            if isinstance(fate, int) and (message not in world.taken or fate != id_of(message)):
                raise LostError(f"try {each.number} has the id {fate} for message {message}")


def _begin_last_try(world: World) -> None:
    """Let what the dead have under way arrive as late as it can, or never."""
    for late in (True, False) if any(each.taken is None for each in world.requests) else (False,):
        new = world.copy()
        new.bury()
        new.faults = new.store_faults = 0
        new.tries.append(Try(len(new.tries) + 1, 0))
        try:
            _check_end(_go_on(new, late=late))
        except WrongError as err:
            raise type(err)(f"{err}, in a last try (what is under way arrives {late=})") from None


def _go_on(world: World, *, late: bool) -> World:
    number, new = len(world.tries), world
    for _ in range(200):
        for each in new.requests:
            due = each.taken is None and (each.owner == number or (late and new.now == each.until))
            if due and not new.repeats(each):
                new = new.arrive(each, each.messages)
        _, new = next(new.steps_of(number))
        if not new.tries[-1].alive:
            return new
        if new.tries[-1].doing in {Ask, Pause}:
            new = new.tick()
    raise LostError("it does not end")


def _check_end(world: World) -> None:
    for message, fate in enumerate(world.tries[-1].fates):
        taken = message in world.taken
        if world.rules.reports and not (taken and fate == id_of(message)):
            raise LostError(f"message {message} ends as {fate}")
        if taken and fate not in {id_of(message), "in doubt"}:
            raise LostError(f"message {message} was taken, and ends as {fate}")
    if world.rules.reports:
        number = len(world.tries) + 1
        ledger = world.rules.ledger(Port(world, number), name=NAME, try_number=number)
        history = ledger.open(must_exist=False)
        if history.doubts or history.accepted != {digest(each): id_of(each) for each in world.rules.messages}:
            raise LostError("the ledger does not say of all messages that they were accepted")
