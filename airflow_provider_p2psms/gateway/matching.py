"""
Which messages in doubt are proved to be taken by the outbox, and which are still in doubt.

Asks nothing but ``recipients``, which is handed in. A record that may hold a message in doubt, but is not
certain to, leaves it *unexplained*. The caller decides whether a reading proves that a message was not taken.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from airflow_provider_p2psms.gateway.doubted import (
    BY_TEXT,
    EXACT,
    MAY_TAKE,
    Doubted,
    Match,
    Relation,
    Request,
)
from airflow_provider_p2psms.gateway.fitting import Closeness, Fit, Texts
from airflow_provider_p2psms.gateway.records import OutboxRecord, Recipient
from airflow_provider_p2psms.identity import canonical_line, fold

__all__ = ["Doubted", "Match", "match"]

# Of many records whose text tells whose they are, so many are checked by their recipients: all requests share
# the first number, and each has the second at least. A sample speaks for its own request alone: the gateway
# takes a request, and another task of the account may have sent one of our texts to somebody else.
_SAMPLE, _LEAST_SAMPLE = 20, 3
# Late records are believed only of more recipients of a request than this: somebody else may have sent the
# same texts to a few of them.
_FEW = 20
# Each record that text and time leave open takes one question about its recipients, at 30 a minute. With more
# of them than this, none is asked about: a try would ask for hours.
MOST_ASKED = 600

Recipients = Callable[[OutboxRecord], tuple[Recipient, ...] | None]


def match(
    doubted: Sequence[Doubted],
    records: Sequence[OutboxRecord],
    *,
    known_ids: Collection[int],
    recipients: Recipients,
    lines: Collection[str] = (),
) -> list[Match]:
    """
    Assign outbox records to messages in doubt.

    :param records: of a window that holds the times of all requests.
    :param known_ids: records that are known to be of other requests.
    :param recipients: gives a record's recipients, ``None`` if they are not shown whole. It is asked only
        about records that text and time do not decide.
    :param lines: further spellings under which our line is shown.
    :return: for each request what was found of it.
    """
    requests = [Request(each) for each in doubted]
    matching = _Matching(requests, recipients, {canonical_line(line) for line in lines})
    matching.add(records, set(known_ids))
    matching.assign()
    matching.doubt_the_rest_of_groups()
    matching.explain()
    matching.doubt_the_rest_of_groups()  # of those, too, that were found last
    return [request.result(too_many=matching.too_many) for request in requests]


@dataclass(slots=True)
class _Candidate:
    """A record that may be of some of the requests."""

    record: OutboxRecord
    relations: list[tuple[Request, Relation]]
    fits: list[Fit]
    is_asked: bool = False
    is_taken: bool = False
    shown: tuple[Recipient, ...] | None = field(default=None, repr=False)

    def turn(self) -> tuple[bool, int, float]:
        """Return what the candidates are sorted by: the named, then the largest, then the earliest."""
        return (not self.is_named(), -len(self.shown or ()), self.record.at or 0.0)

    def is_named(self) -> bool:
        """Return whether the answer to a request names it."""
        return self.relations[0][1] is Relation.NAMED

    def is_late(self) -> bool:
        """Return whether it was accepted when all of the requests should be over."""
        return all(relation is Relation.LATE for _, relation in self.relations)

    def is_by_text(self) -> bool:
        """Return whether its recipients may prove it to be ours: its text fits, or its id is named."""
        return any(
            relation is Relation.NAMED or (relation in MAY_TAKE and self.fits)
            for _, relation in self.relations
        )


@dataclass(frozen=True, slots=True)
class _Single:
    """A record whose text is that of one message alone."""

    candidate: _Candidate
    request: Request
    relation: Relation
    place: int


class _Matching:
    """Takes records, the surest first, and notes what they leave in doubt."""

    def __init__(self, requests: Sequence[Request], recipients: Recipients, lines: Collection[str]) -> None:
        self._requests, self._recipients, self._lines = requests, recipients, lines
        self._texts = Texts(text for request in requests for text in request.texts)
        self._fits: dict[str, list[Fit]] = {}
        self._candidates: list[_Candidate] = []
        self._groups: list[tuple[Request, list[int], int]] = []
        self.too_many = 0

    def add(self, records: Iterable[OutboxRecord], known_ids: Collection[int]) -> None:
        """Keep the records that may be of some of the requests."""
        for record in records:
            if relations := self._relations(record, known_ids):
                candidate = _Candidate(record, relations, self._find(record.text or ""))
                if candidate.fits or not candidate.is_late():  # most of the later traffic has other texts
                    self._candidates.append(candidate)

    def assign(self) -> None:
        """Assign the records whose text may be ours."""
        candidates = [each for each in self._candidates if each.is_by_text()]
        self._take_samples([each for each in self._candidates if each.is_by_text() or each.is_late()])
        left = [each for each in candidates if not each.is_taken]
        can_ask = self._can_ask(each for each in left if not each.is_named())
        for candidate in left:
            if can_ask or candidate.is_named():  # those that an answer names are ours, however many they are
                self._ask(candidate)
        # Of two requests in doubt the larger may hold all that the smaller does (copies that are sent on
        # purpose). Its record fits that one alone, so it has the first choice.
        for candidate in sorted(candidates, key=_Candidate.turn):
            self._take(candidate)

    def doubt_the_rest_of_groups(self) -> None:
        """Note the recipients that a record of their group does not show."""
        for request in self._requests:
            request.doubt_the_rest_of_groups(
                [(places, shown) for other, places, shown in self._groups if other is request]
            )

    def explain(self) -> None:
        """
        Look at the records that are left, as long as that can tell something of an open place.

        A record whose text is none of ours may have that of a row that has gone, or other texts for its
        recipients.
        """
        left = [each for each in self._candidates if not each.is_taken]
        self._spare_late_singles(left)
        can_ask = self._can_ask(each for each in left if _is_in_question(each))
        for candidate in sorted(left, key=lambda each: (-(each.record.count or 0), each.record.at or 0.0)):
            if can_ask and _is_in_question(candidate):
                self._ask(candidate)
                self._take(candidate)
            if not candidate.is_taken:
                for request, relation in _open_relations(candidate):
                    request.doubt(candidate.shown, relation, candidate.fits)

    def _relations(self, record: OutboxRecord, known_ids: Collection[int]) -> list[tuple[Request, Relation]]:
        named = [each for each in self._requests if record.outbox_id in each.doubted.answer_ids]
        if named:
            return [(named[0], Relation.NAMED)]
        if record.is_failed or record.outbox_id in known_ids:
            return []
        related = ((request, request.relation(record, self._lines)) for request in self._requests)
        return [(request, relation) for request, relation in related if relation]

    def _find(self, text: str) -> list[Fit]:
        if text not in self._fits:
            self._fits[text] = self._texts.find(fold(text))
        return self._fits[text]

    def _ask(self, candidate: _Candidate) -> None:
        if not candidate.is_asked:
            candidate.is_asked, candidate.shown = True, self._recipients(candidate.record)

    def _can_ask(self, candidates: Iterable[_Candidate]) -> bool:
        """Tell whether records are few enough to ask for the recipients of each."""
        count = sum(not each.is_asked for each in candidates)
        self.too_many = max(self.too_many, count if count > MOST_ASKED else 0)
        return count <= MOST_ASKED

    def _take(self, candidate: _Candidate) -> None:
        if candidate.shown is None or candidate.is_taken:
            return
        record, shown = candidate.record, candidate.shown
        request, relation = candidate.relations[0]
        if relation is Relation.NAMED:
            places = request.find_named_places(record, shown, self._find)
            request.take(places, record.outbox_id)
            candidate.is_taken = len(places) >= len(shown)
            return
        proofs = [
            (proof, request)
            for request, relation in candidate.relations
            if relation in MAY_TAKE or (relation is Relation.LATE and len(shown) > _FEW)
            if (proof := request.find_proof(record, shown, relation, self._find))
        ]
        if proofs:
            # Records come by time: so each leaves to later ones the requests that they fit.
            proof, request = min(proofs, key=lambda each: (each[0].distance, each[1].doubted.until))
            request.take(proof.places, record.outbox_id)
            candidate.is_taken = True
            self._groups.append((request, proof.places, len(shown)))

    def _spare_late_singles(self, candidates: Iterable[_Candidate]) -> None:
        """
        Ask nothing about many late records with personal texts: they leave their messages in doubt.

        If they were those of a request that the gateway accepted late, a sample would have proved it.
        """
        singles = [each for each in candidates if _is_late_single(each)]
        for candidate in singles if len(singles) > _FEW else ():
            candidate.is_asked = True

    # --- records whose text alone tells whose they are

    def _take_samples(self, candidates: Sequence[_Candidate]) -> None:
        """Take what samples prove."""
        groups: dict[tuple[int, str, Closeness, Relation], list[_Single]] = defaultdict(list)
        for single in self._singles(candidates):
            line, fit = canonical_line(single.candidate.record.line or ""), single.candidate.fits[0]
            groups[id(single.request), line, fit.closeness, single.relation].append(single)
        size = max(_LEAST_SAMPLE, _SAMPLE // len(self._requests))
        for (*_, relation), group in groups.items():
            if len(group) > (_FEW if relation is Relation.LATE else size):
                self._try_sample(group, size)

    def _singles(self, candidates: Sequence[_Candidate]) -> Iterable[_Single]:
        times = Counter(text for each in candidates if each.fits for text in each.fits[0].texts)
        for each in candidates:
            if not each.fits or each.record.count not in {None, 1} or len(each.fits[0].texts) > 1:
                continue
            fit, text = each.fits[0], each.fits[0].texts[0]
            places = [(request, place) for request in self._requests for place in request.places_of(text)]
            if times[text] > 1 or len(places) > 1:
                continue
            request, place = places[0]
            relation = dict(each.relations).get(request)
            is_sure = relation is Relation.SURE or (relation in EXACT and fit.closeness is Closeness.SAME)
            if relation and is_sure and place in request.open:
                yield _Single(each, request, relation, place)

    def _try_sample(self, group: Sequence[_Single], size: int) -> None:
        sample = [group[round(each * (len(group) - 1) / (size - 1))] for each in range(size)]
        proved = 0
        for single in sample:
            candidate = single.candidate
            self._ask(candidate)
            if candidate.shown is not None:
                proof = single.request.find_proof(
                    candidate.record, candidate.shown, single.relation, self._find
                )
                if proof is None or proof.places != [single.place]:
                    return
                proved += 1
        for single in group:
            candidate = single.candidate
            if 2 * proved >= size and (candidate.shown is not None or not candidate.is_asked):
                single.request.take([single.place], candidate.record.outbox_id)
                candidate.is_taken = True
            candidate.is_asked = True  # nearly nothing is shown yet: it will not be of the others


def _is_late_single(candidate: _Candidate) -> bool:
    """Tell whether a record is late for all requests, and its text is that of one message alone."""
    texts = candidate.fits[0].texts if candidate.fits else ()
    requests = [request for request, _ in candidate.relations]
    places = [place for text in texts for request in requests for place in request.places_of(text)]
    return len(places) == 1 and candidate.is_late()


def _open_relations(candidate: _Candidate) -> list[tuple[Request, Relation]]:
    """Return the requests of which a record may still tell something."""
    return [
        (request, relation)
        for request, relation in candidate.relations
        if request.gone or not request.open <= request.unexplained
    ]


def _is_in_question(candidate: _Candidate) -> bool:
    """Tell whether the recipients of a record may tell something of an open place."""
    return any(candidate.fits or relation not in BY_TEXT for _, relation in _open_relations(candidate))
