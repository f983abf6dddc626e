"""
One request in doubt: which of its messages a record proves to be taken, and which it leaves in doubt.

Records come with their recipients. ``matching`` decides which records are looked at, and in which order.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from airflow_provider_p2psms.gateway.fitting import Closeness, Fit
from airflow_provider_p2psms.gateway.records import OutboxRecord, Recipient
from airflow_provider_p2psms.identity import ShownNumber, canonical_line, fold, read_number

_LONGEST_AFFIX = 60
_IRAN = "98"
# An account has few lines, and each record shows one.
_canonical = lru_cache(maxsize=256)(canonical_line)
_MASKS = frozenset("*#?_\u2022\u25cf\u2588\u2026")
_LEAST_SHARED_DIGITS = 4

Fits = Callable[[str], list[Fit]]


@dataclass(frozen=True, slots=True)
class Doubted:
    """
    One request in doubt.

    :param digests: of the whole intent, in its order; zeros where a message is settled already.
    :param messages: by place, recipient (E.164) and text of those that the present rows still hold.
    :param digest: gives the digest of (recipient, text, copy number from 0) as this intent has them.
    :param line: the sender of the intent.
    :param since: when the request may have been taken at the earliest, in seconds as the report counts them;
        ``until``: at the latest.
    :param maybe: where the report's clock is not known, a wider time: a record of it that fits leaves its
        messages in doubt. Where the clock is known, each later record does.
    :param answer_ids: ids of an answer that did not add up. Records with these ids are of this request.
    """

    digests: Sequence[bytes]
    messages: Mapping[int, tuple[str, str]] = field(repr=False)
    digest: Callable[[str, str, int], bytes] = field(repr=False)
    line: str = field(repr=False)
    since: float
    until: float
    maybe: tuple[float, float] | None = None
    is_scheduled: bool = False
    answer_ids: tuple[int, ...] = ()


@dataclass(slots=True)
class Match:
    """
    What the records say of one request.

    ``ids`` has one for each place of ``digests``, 0 where none was found. ``unexplained`` holds the places
    for which a record is seen that may be theirs and cannot be assigned. ``held`` are places with an id whose
    record shows only a part of its group: it says that the rest was taken, too, as long as nobody settles it.
    ``too_many`` is how many records of all requests were left unexplained because they are too many to ask
    for the recipients of each; 0 if all were asked about.
    """

    ids: list[int]
    unexplained: set[int]
    held: set[int] = field(default_factory=set)
    too_many: int = 0


class Relation(Enum):
    """How a record stands to a request, by its line and its time."""

    NAMED = auto()  # its id stands in the answer to the request
    SURE = auto()  # line and time are those of the request
    OTHER_LINE = auto()  # in time, but the line is a name, or hidden: text and recipients have to fit exactly
    LIKE_LINE = auto()  # in time, but the line only ends like ours: cannot be assigned
    NO_TIME = auto()  # cannot be assigned
    OTHER_TIME = auto()  # the report's clock is not known, or a scheduled request is listed by another time
    LATE = auto()  # accepted when the request should be over: the gateway had a queue, or it is of others


MAY_TAKE = frozenset({Relation.NAMED, Relation.SURE, Relation.OTHER_LINE})
# Of these, text and recipients have to fit exactly.
EXACT = frozenset({Relation.OTHER_LINE, Relation.LATE})
# Another text tells that such a record is not of the request.
BY_TEXT = frozenset({Relation.OTHER_TIME, Relation.LATE})


class Proof(NamedTuple):
    """The places that a record proves to be taken, and how close its text is: the least is the closest."""

    distance: tuple[int, int]
    places: list[int]


class _Messages:
    """
    Messages of a request, all or those of one ``text``: their places by recipient (E.164).

    Recipients are found by their last four digits: a report may leave out or mask the others.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.places: dict[str, list[int]] = defaultdict(list)
        self._by_tail: dict[str, list[str]] = defaultdict(list)

    def add(self, number: str, place: int) -> None:
        if number not in self.places:
            self._by_tail[number[-4:]].append(number)
        self.places[number].append(place)

    def find(self, shown: ShownNumber) -> list[str]:
        """Return the recipients that a shown number may be."""
        near = self._by_tail.get(shown.tail[-4:], []) if len(shown.tail) >= 4 else self.places
        return [number for number in near if shown.fits(number)]

    def all_places(self) -> set[int]:
        return {place for places in self.places.values() for place in places}


class Request:
    """A request in doubt, and what is found of it so far."""

    def __init__(self, doubted: Doubted) -> None:
        self.doubted = doubted
        self.line = canonical_line(doubted.line)
        self.ids = [0] * len(doubted.digests)
        self.unexplained: set[int] = set()
        self.held: set[int] = set()
        self.by_digest = {digest: place for place, digest in enumerate(doubted.digests) if any(digest)}
        self.open = {*self.by_digest.values()}
        self.texts: dict[str, _Messages] = {}
        self._all = _Messages()
        for place, (number, text) in sorted(doubted.messages.items()):
            self.texts.setdefault(fold(text), _Messages(text)).add(number, place)
            self._all.add(number, place)
        # The open places whose rows are not there any more.
        self.gone = self.open - doubted.messages.keys()
        self._affixes: dict[tuple[int, int], None] = {(0, 0): None}

    def places_of(self, text: str) -> set[int]:
        """Return the places of a text."""
        return self.texts[text].all_places() if text in self.texts else set()

    def result(self, *, too_many: int = 0) -> Match:
        """Return what was found."""
        return Match(self.ids, self.unexplained & self.open, self.held, too_many)

    def take(self, places: Iterable[int], outbox_id: int) -> None:
        """Note the id of messages that were taken."""
        for place in places:
            self.ids[place] = outbox_id
            self.open.discard(place)
            self.gone.discard(place)

    def relation(self, record: OutboxRecord, lines: Collection[str]) -> Relation | None:
        """Return how a record stands to this request; ``None`` if it is certainly not of it."""
        is_ours = _is_same_line(record.line, self.line, lines)
        if is_ours is False:
            return None
        if not self._is_in_time(record.at) and not (
            self.doubted.is_scheduled and self._is_in_time(record.send_at)
        ):
            if record.at is None:
                return Relation.NO_TIME
            if self.doubted.is_scheduled or self._may_be_in_time(record.at):
                return Relation.OTHER_TIME
            return Relation.LATE if record.at > self.doubted.until and not self.doubted.maybe else None
        if is_ours is None:
            return Relation.LIKE_LINE if _is_like_line(record.line, self.line) else Relation.OTHER_LINE
        return Relation.SURE

    def _is_in_time(self, at: float | None) -> bool:
        # Reports count whole seconds.
        if at is None or self.doubted.since > self.doubted.until:  # no time is sure
            return False
        return math.floor(self.doubted.since) <= at <= math.ceil(self.doubted.until)

    def _may_be_in_time(self, at: float) -> bool:
        maybe = self.doubted.maybe
        return maybe is not None and maybe[0] <= at <= maybe[1]

    # --- what a record proves

    def find_proof(
        self, record: OutboxRecord, shown: Sequence[Recipient], relation: Relation, fits: Fits
    ) -> Proof | None:
        """
        Return the open places that a record proves to be taken.

        :return: ``None`` if not all of its recipients were to get its text by this request, or if several of
            our texts fit equally well.
        """
        is_exact = relation in EXACT
        by_text: dict[str, list[str]] = defaultdict(list)
        for number, text in shown:
            by_text[text or record.text or ""].append(number)
        proofs = []
        for text, numbers in by_text.items():
            read = [each for each in map(read_number, numbers) if each]
            if len(read) < len(numbers) or (is_exact and not all(each.is_whole for each in read)):
                return None
            proof = self._closest_proof(text, read, fits)
            if proof is None or (is_exact and proof.distance[0] != Closeness.SAME):
                return None
            proofs.append(proof)
        places = [place for proof in proofs for place in proof.places]
        return Proof(max(proof.distance for proof in proofs), places) if places else None

    def find_named_places(self, record: OutboxRecord, shown: Sequence[Recipient], fits: Fits) -> list[int]:
        """
        Return the places of a record whose id stands in the answer to this request.

        It is of this request whatever its text, so a recipient with one open message is enough.
        """
        if len(self.doubted.answer_ids) == 1 and len(shown) == len(self.ids):
            return sorted(self.open)  # one id for the whole request
        places: list[int] = []
        for number, text in shown:
            read = read_number(number)
            if not read:
                continue
            proof = self._closest_proof(text or record.text or "", [read], fits)
            if proof:
                found = proof.places
            else:
                people = self._all.find(read)
                found = [place for each in people for place in self._all.places[each] if place in self.open]
            fresh = [place for place in found if place not in places]
            places += fresh if len(fresh) == 1 else []
        return places

    def _closest_proof(self, text: str, numbers: list[ShownNumber], fits: Fits) -> Proof | None:
        """Find the closest of our texts that all these recipients were to get; ``None`` if several are."""
        gone = self._gone_proof(text, numbers)
        for fit in fits(text):
            distance = (fit.closeness, -len(fit.texts[0]) if fit.closeness is Closeness.CONTAINED else 0)
            if gone and gone.distance < distance:
                break
            ours = (self.texts[each] for each in fit.texts if each in self.texts)
            found = [places for each in ours if (places := self._places_in(each, numbers)) is not None]
            if found:
                return Proof(distance, found[0]) if len(found) == 1 else None
        return gone

    def _places_in(self, text: _Messages, numbers: list[ShownNumber]) -> list[int] | None:
        """Return the open places of a text for these recipients; ``None`` if some were not to get it."""
        places: list[int] = []
        for shown, times in Counter(numbers).items():
            people = text.find(shown)
            if not people:
                for _ in range(times):
                    place = self._gone_place(shown, text.text, places)
                    if place is None:
                        return None
                    places.append(place)
            elif len(people) == 1:
                places += [place for place in text.places[people[0]] if place in self.open][:times]
            elif len(people) == times:
                for number in people:
                    places += [place for place in text.places[number] if place in self.open][:1]
            else:
                return None  # which of them stands behind the mask cannot be told
        return places

    def _gone_proof(self, text: str, numbers: list[ShownNumber]) -> Proof | None:
        """Find places whose rows are gone: their digests tell recipient and text, once it is cut right."""
        if not self.gone or not all(each.is_whole for each in numbers):
            return None
        for start, end in self._cuts(len(text)):
            ours = text[start : len(text) - end]
            places: list[int] = []
            for shown in numbers:
                place = self._gone_place(shown, ours, places)
                if place is None:
                    break
                places.append(place)
            else:
                self._affixes[start, end] = None
                is_same = start == end == 0
                return Proof(
                    (Closeness.SAME, 0) if is_same else (Closeness.CONTAINED, -len(fold(ours))), places
                )
        return None

    def _gone_place(self, shown: ShownNumber, text: str, taken: Collection[int]) -> int | None:
        if not shown.is_whole:
            return None
        numbers = (f"+{shown.tail}", f"+{_IRAN}{shown.tail}")
        found = chain.from_iterable(self._copies(number, text) for number in numbers)
        return next((place for place in found if place in self.open and place not in taken), None)

    def _copies(self, number: str, text: str) -> Iterator[int]:
        """Yield the places of all copies of a message."""
        before, copy = -1, 0
        # Copies may have no digests of their own: then the second is the first again.
        while (place := self.by_digest.get(self.doubted.digest(number, text, copy), -1)) not in {-1, before}:
            yield place
            before, copy = place, copy + 1

    def _cuts(self, length: int) -> Iterator[tuple[int, int]]:
        most = range(1, min(length, _LONGEST_AFFIX + 1))
        return chain(list(self._affixes), ((0, end) for end in most), ((start, 0) for start in most))

    # --- what a record leaves in doubt

    def doubt(self, shown: Sequence[Recipient] | None, relation: Relation, fits: Sequence[Fit]) -> None:
        """Note that a record may hold some of the open places."""
        of_text = {place for fit in fits for text in fit.texts for place in self.places_of(text)}
        if relation is not Relation.LATE:  # else any later message of others would keep them in doubt
            self.unexplained |= self.gone
        if relation in BY_TEXT and not of_text:
            return
        numbers = [read_number(each.number) for each in shown or ()]
        if shown is None or None in numbers:
            self.unexplained |= of_text or self.open
        for number in filter(None, numbers):
            for each in self._all.find(number):
                self.unexplained.update(self._all.places[each])

    def doubt_the_rest_of_groups(self, taken: Sequence[tuple[Collection[int], int]]) -> None:
        """
        Note that a group is taken whole: if a record shows some of it, the rest was not refused.

        :param taken: of each record of this request its places and how many recipients it shows. One
            recipient may be all of a group that is shown, or a row of a file, each of which has a record.
        """
        for text in self.texts.values():
            places = text.all_places()
            theirs = [shown for some, shown in taken if not places.isdisjoint(some)]
            if theirs and not places.isdisjoint(self.open) and (len(theirs) == 1 or max(theirs) > 1):
                self.unexplained |= places
                self.held |= places - self.open


def _is_same_line(shown: str | None, ours: str, lines: Collection[str]) -> bool | None:
    """Return whether a record is on our line; ``None`` if its line cannot be told."""
    if shown is None or not _MASKS.isdisjoint(shown):
        return None
    line = _canonical(shown)
    if line == ours or line in lines:
        return True
    if not line.isdecimal() or not ours.isdecimal():
        return None  # a name may stand for any line
    return None if _is_like_line(shown, ours) else False


def _is_like_line(shown: str | None, ours: str) -> bool:
    """Tell whether of two numbers one ends like the other, as with a code before it that is not shown."""
    if shown is None or not _MASKS.isdisjoint(shown):
        return False
    shorter, longer = sorted((_canonical(shown), ours), key=len)
    are_numbers = shorter.isdecimal() and longer.isdecimal()
    return are_numbers and len(shorter) >= _LEAST_SHARED_DIGITS and longer.endswith(shorter)
