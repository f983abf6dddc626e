"""The names of a ledger's folders: every file system takes them, and no two DAGs share one."""

from urllib.parse import quote

import pytest

from airflow_provider_p2psms.ledger.places import folder_name


@pytest.mark.parametrize("name", ["shop", "scheduled__2026-01-01T00:00:00+00:00", "a/b", "س" * 42, "a" * 255])
def test_a_name_that_fits_stays_as_it_is(name):
    """Ledgers of earlier versions are found where they are."""
    assert quote(name, safe=" +:@=,") == folder_name(name)


@pytest.mark.parametrize("name", ["س" * 43, "س" * 49, "a" * 256, "😀" * 250, "/" * 100])
def test_a_long_name_is_cut(name):
    """It has at most 255 bytes, and begins as the whole name does."""
    assert len(folder_name(name)) <= 255
    assert folder_name(name).startswith(quote(name[0], safe=""))


def test_long_names_are_told_apart():
    """Two names that differ in their last letter have folders of their own."""
    assert folder_name("س" * 60 + "a") != folder_name("س" * 60 + "b")
