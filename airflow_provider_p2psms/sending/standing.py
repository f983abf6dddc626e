"""How a send stands when a try ends, for people: counts of recipients over all of its tries."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    Recipients by what is known of them, also of those whose rows have gone since an earlier try.

    ``not_sent`` is what was refused, or had not left when the try ended.
    """

    accepted: int
    in_doubt: int
    not_sent: int
