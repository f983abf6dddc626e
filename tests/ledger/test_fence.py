"""Fencing by exclusive creation: of two tries one always sees the other, whatever a mount remembers."""

import threading
from pathlib import Path

import pytest

from airflow_provider_p2psms.errors import LedgerError, ReplacedError
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, Digests
from airflow_provider_p2psms.ledger.exclusive import FRESH_S
from airflow_provider_p2psms.ledger.ledger import History, Ledger
from airflow_provider_p2psms.ledger.stores import ObjectStore, epochs_in

SOME = Digests(bytes(range(1, DIGEST_BYTES + 1)))


class Mount:
    """
    A path on a mount that remembers what it has seen: absent files, contents and listings.

    Only the server decides about exclusive creation.
    """

    def __init__(self, path, seen=None):
        self.path, self.name = Path(path), Path(path).name
        self.seen = {} if seen is None else seen

    def __truediv__(self, name):
        return Mount(self.path / name, self.seen)

    def __str__(self):
        return str(self.path)

    def _once(self, what, look):
        key = what, self.path
        if key not in self.seen:
            try:
                self.seen[key] = look()
            except FileNotFoundError as err:
                self.seen[key] = err
        if isinstance(self.seen[key], Exception):
            raise self.seen[key]
        return self.seen[key]

    def mkdir(self, **options):
        self.path.mkdir(**options)

    def iterdir(self):
        return [
            self / name for name in self._once("list", lambda: [file.name for file in self.path.iterdir()])
        ]

    def read_bytes(self):
        return self._once("read", self.path.read_bytes)

    def write_bytes(self, body):
        self.path.write_bytes(body)
        self.seen["read", self.path] = body

    def open(self, mode):
        stream = self.path.open(mode)
        self.seen.pop(("read", self.path), None)
        return stream

    def unlink(self):
        self.path.unlink()


class Watched(ObjectStore):
    """A store that lets something else happen at one of its accesses."""

    def __init__(self, folder, *, at=-1, happens=lambda: None):
        super().__init__(folder, patience_s=0.0)
        self.accesses, self._at, self._happens = 0, at, happens

    def _access(self):
        if self.accesses == self._at:
            self._happens()
        self.accesses += 1

    def read(self, key):
        self._access()
        return super().read(key)

    def keys(self, name):
        self._access()
        return super().keys(name)

    def create(self, key, value):
        self._access()
        return super().create(key, value)

    def write_all(self, records):
        self._access()
        super().write_all(records)


class Lenient(Watched):
    """A storage that has no exclusive creation."""

    def create(self, key, value):
        self._access()
        self._make_folder()


def begin(store, try_number=1, **options):
    ledger = Ledger(store, name="p2psms", try_number=try_number, **options)
    return ledger, ledger.open(must_exist=False)


def write_intent(ledger):
    ledger.intend(SOME, sender="+983000505", at=1.0, until=2.0)
    ledger.flush()


@pytest.mark.parametrize("kind", [Watched, Lenient])
@pytest.mark.parametrize("same_number", [False, True])
def test_one_of_two_tries_sees_the_other(tmp_path, kind, same_number):
    """The old try writes its intent and asks while the new one begins: it is fenced off, or seen."""
    number = 1 if same_number else 2
    place, outcomes = 0, set()
    while True:
        old, _ = begin(kind(tmp_path / f"{place}"))
        owner: list[bool] = []

        def send(old=old, owner=owner):
            write_intent(old)
            owner.append(old.is_owner())

        store = kind(tmp_path / f"{place}", at=place, happens=send)
        _, history = begin(store, number)
        if not owner:
            break
        outcomes.add((owner[0], bool(history.doubts)))
        assert not (owner[0] and not history.doubts)
        assert not old.is_owner()
        place += 1

    assert {(True, True), (False, False)} <= outcomes


@pytest.mark.parametrize("kind", [Watched, Lenient])
def test_a_new_try_that_begins_while_the_old_one_asks(tmp_path, kind):
    """The same with the parts changed: the new one begins at any access of the old one."""
    place = 0
    while True:
        histories: list[History] = []

        def take_over(place=place, histories=histories):
            histories.append(begin(kind(tmp_path / f"{place}"), 2)[1])

        store = kind(tmp_path / f"{place}")
        old, _ = begin(store)
        store._at, store._happens = store.accesses + place, take_over
        write_intent(old)
        is_owner = old.is_owner()
        if not histories:
            break
        assert not (is_owner and not histories[0].doubts)
        place += 1
    assert place >= 2


def test_of_tries_that_begin_at_once_one_is_the_owner(tmp_path):
    """Eight threads open the ledger together: the storage decides, and each sees all that were before it."""
    ledgers = [Ledger(ObjectStore(tmp_path), name="p2psms") for _ in range(8)]
    start = threading.Barrier(8)

    def open_it(ledger):
        start.wait()
        ledger.open(must_exist=False)

    threads = [threading.Thread(target=open_it, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == sum(ledger.is_owner() for ledger in ledgers)


class TestCachingMount:
    """The new try's machine has seen the folder before, and remembers it."""

    def test_an_old_try_is_fenced_off(self, tmp_path):
        """Its mount remembers that nobody had replaced it."""
        mount = Mount(tmp_path)
        old, _ = begin(ObjectStore(mount, patience_s=0.0))
        assert old.is_owner()
        list(mount.iterdir())
        for number in range(9):
            ObjectStore(mount).read(f"p2psms.turn.{number}")

        begin(ObjectStore(Mount(tmp_path), patience_s=0.0), 2)

        assert not old.is_owner()

    @pytest.mark.parametrize("seen", ["nothing", "the folder", "a listing", "all its files"])
    def test_what_it_does_not_see_is_no_proof(self, tmp_path, seen):
        """It finds the intents, or says what is missing: it never begins on top of nothing."""
        mount = Mount(tmp_path / "ledger")
        if seen == "the folder":
            ObjectStore(mount, patience_s=0.0).keys("p2psms")
        old, _ = begin(ObjectStore(Mount(tmp_path / "ledger"), patience_s=0.0))
        if seen == "a listing":
            ObjectStore(mount, patience_s=0.0).keys("p2psms")
        if seen == "all its files":
            ObjectStore(mount, patience_s=0.0).keys("p2psms")
            for file in mount.iterdir():
                file.read_bytes()
        write_intent(old)
        assert old.is_owner()

        try:
            _, history = begin(ObjectStore(mount, patience_s=0.0), 2)
        except LedgerError as err:
            assert seen == "all its files"
            assert "damaged" in str(err)  # noqa: PT017 - what it says when it does not find them
        else:
            assert history.doubts
        assert not old.is_owner()

    def test_a_late_try_gives_way(self, tmp_path):
        """It does not see the newer one in its listing; the newer one's epoch says who that is."""
        mount = Mount(tmp_path)
        tmp_path.mkdir(exist_ok=True)
        list(mount.iterdir())
        new, _ = begin(ObjectStore(Mount(tmp_path), patience_s=0.0), 2)

        with pytest.raises(ReplacedError):
            begin(ObjectStore(mount, patience_s=0.0), 1)
        assert new.is_owner()


class TestEpochs:
    """How many there are, and what they say."""

    def count(self, folder):
        return len(epochs_in("p2psms", "", ObjectStore(folder).keys("p2psms")))

    def test_old_turns_are_removed(self, tmp_path):
        """A send that asks for hours does not fill the folder."""
        now = [0.0]
        store = ObjectStore(tmp_path)
        begin(store, 1)
        ledger, _ = begin(store, 2, clock=lambda: now[0])
        for _ in range(1_000):
            now[0] += FRESH_S / 20
            assert ledger.is_owner()
        store._writers.shutdown()  # files are removed in the background

        assert 20 <= self.count(tmp_path) <= 23
        ledger, _ = begin(ObjectStore(tmp_path), 3)
        assert ledger.is_owner()

    def test_a_listing_from_before_is_no_way_in(self, tmp_path):
        """Epochs that were removed cannot be taken by a try that has looked before: those after are there."""
        now = [0.0]
        store = ObjectStore(tmp_path)
        old, _ = begin(store, clock=lambda: now[0])
        mount = Mount(tmp_path)
        for place in range(100):
            now[0] += FRESH_S / 40
            if place == 80:
                list(mount.iterdir())
            assert old.is_owner()
        store._writers.shutdown()

        begin(ObjectStore(mount, patience_s=0.0), 2)

        old._store = old._epochs._store = ObjectStore(tmp_path)
        assert not old.is_owner()

    def test_a_try_that_stood_still_while_it_began_begins_anew(self, tmp_path):
        """The epoch that it took may have been removed before it took it."""
        now = [0.0]

        class Slow(Watched):
            def create(self, key, value):
                if self.accesses < 3:
                    now[0] += FRESH_S
                return super().create(key, value)

        ledger, _ = begin(Slow(tmp_path), clock=lambda: now[0])

        assert 2 == self.count(tmp_path)
        assert ledger.is_owner()

    @pytest.mark.parametrize("empty", [0, 1])
    def test_an_epoch_that_nobody_wrote(self, tmp_path, empty):
        """Its try died between its creation and its writing: the next one goes on."""
        old, _ = begin(ObjectStore(tmp_path))
        write_intent(old)
        assert old.is_owner()
        (tmp_path / f"p2psms.turn.{1 + empty}.json").write_bytes(b"")

        _, history = begin(ObjectStore(tmp_path, patience_s=0.0), 2)

        assert history.doubts
        assert not old.is_owner()

    def test_a_try_finds_its_own_turn(self, tmp_path):
        """A mount that asked twice for one creation finds what it has made itself: that is no other try."""

        class Twice(ObjectStore):
            def create(self, key, value):
                super().create(key, value)
                return super().create(key, value)

        ledger, _ = begin(Twice(tmp_path))

        assert ledger.is_owner()
        assert 2 == self.count(tmp_path)

    @pytest.mark.parametrize("body", [b"[]", b'[{"kind":"head"}]', b"[{", b'{"a":1}'])
    def test_an_epoch_that_was_changed_is_an_error(self, tmp_path, body):
        """It is named."""
        begin(ObjectStore(tmp_path))
        (tmp_path / "p2psms.turn.0.json").write_bytes(body)

        with pytest.raises(LedgerError, match=r"damaged: .*turn\.0"):
            begin(ObjectStore(tmp_path, patience_s=0.0), 2)

    def test_an_epoch_whose_writer_was_changed_is_an_error(self, tmp_path):
        """It has a checksum, too."""
        begin(ObjectStore(tmp_path))
        file = tmp_path / "p2psms.turn.0.json"
        file.write_bytes(file.read_bytes().replace(b'"slot":"1-', b'"slot":"2-'))

        with pytest.raises(LedgerError, match=r"damaged: .*turn\.0"):
            begin(ObjectStore(tmp_path, patience_s=0.0), 2)

    def test_an_epoch_with_something_behind_it_is_an_error(self, tmp_path):
        """Its record holds nothing else."""
        begin(ObjectStore(tmp_path))
        file = tmp_path / "p2psms.turn.0.json"
        file.write_bytes(file.read_bytes().replace(b"}]", b"},1]"))

        with pytest.raises(LedgerError, match=r"damaged: .*turn\.0.*not written by the ledger"):
            begin(ObjectStore(tmp_path, patience_s=0.0), 2)

    def test_an_epoch_that_is_listed_and_gone_is_an_error(self, tmp_path):
        """Nothing is begun on top of it."""
        begin(ObjectStore(tmp_path))
        mount = Mount(tmp_path)
        list(mount.iterdir())
        (tmp_path / "p2psms.turn.0.json").unlink()

        with pytest.raises(LedgerError, match=r"turn\.0.*missing"):
            begin(ObjectStore(mount, patience_s=0.0), 2)

    def test_a_try_that_died_with_an_epoch_alone_sent_nothing(self, tmp_path):
        """The next try need not doubt: there was a ledger, and nothing in it."""
        store = ObjectStore(tmp_path, patience_s=0.0)
        ledger, _ = begin(store)
        (tmp_path / f"p2psms.{ledger._writer}.head.json").unlink()

        history = Ledger(store, name="p2psms", try_number=2).open(must_exist=True)

        assert [] == history.doubts

    def test_owners_have_turns_of_their_own(self, tmp_path):
        """A map index takes nothing from another."""
        (one, _), (other, _) = (begin(ObjectStore(tmp_path), owner=owner) for owner in ("0", "1"))

        assert [True] * 4 == [each.is_owner() for each in (one, other, one, other)]
