"""
Finds numbers that lost digits before they came here, as numbers do: a float of 32 bits, a rounded cell.

Text keeps its digits; a number does not say what it was. A spreadsheet that has no room for 989121234567
stores 9.89121E+11 in a CSV, and what reads that gives 989121000000: six zeros at least, for it shows six
digits at most, and fewer of a shorter number. A column of 32-bit floats keeps 24 bits of each number, also
where Python's own floats are made of it (``to_dict``, ``tolist``, most drivers of databases), and its type
is told no more.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows.redaction import mask
from airflow_provider_p2psms.rows.values import is_number

LOST_DIGITS: Final = "digits were lost by a spreadsheet; hand in numbers as text"
LOST_ZEROS: Final = 10**6
_SINGLE_BITS: Final = 24
# A database writes a 32-bit float with so few digits that a number of ten ends in three zeros at least.
_SINGLE_ZEROS: Final = 1_000
_BITS_OF_SINGLE_ZEROS: Final = 10
_MOST_DIGITS: Final = 16
# Odds of one to a million: that numbers which are whole look like this by chance.
_ENOUGH_BITS: Final = 20

# Arrow's "float" is one of 32 bits and its "halffloat" of 16; wide are double, float64, longdouble.
_has_coarse_float = re.compile(r"float(?!64|80|96|128)").search
_quoted = re.compile(r"'[^']*'|\"[^\"]*\"")


def ends_in_lost_zeros(digits: str) -> bool:
    """Tell whether digits end as those of a rounded number do."""
    return digits.endswith("000000")


def is_quantity(value: object) -> bool:
    """Tell whether a number's type is not one for whole numbers: a float, a decimal with an exponent."""
    if isinstance(value, Decimal):
        return value.as_tuple().exponent != 0
    return not hasattr(value, "__index__")


def is_coarse(kind: object) -> bool:
    """
    Tell whether a type, or one within it, is a float of fewer bits than a phone number has.

    Types say so by name, whatever holds them: ``Float32``, ``float[pyarrow]``, ``Sparse[float32, nan]``,
    ``dictionary<values=float, …>``, ``List(Float32)``. Only pandas' categories do not.
    """
    categories = getattr(kind, "categories", None)
    inner = getattr(categories, "dtype", None)
    if inner is not None and str(kind) == "category":
        return is_coarse(inner)
    return bool(_has_coarse_float(_quoted.sub("", str(kind)).lower()))


class Losses:
    """
    What the numbers of one list tell together of digits that they lost; one by one they would pass.

    Its methods are told the recipients as they were handed in. Texts do not count.
    """

    def __init__(self) -> None:
        self._single: dict[int, int] = {}  # by number, how many bits speak for a 32-bit float
        self._is_settled = False  # a number was met that no 32-bit float holds
        self._rounded: dict[str, tuple[int, str]] = {}  # by number, the first row that has it, and its text

    def note(self, recipients: Iterable[object]) -> None:
        """Look at recipients; it does not matter if some are shown twice."""
        if self._is_settled:
            return
        for value in recipients:
            number = _as_whole(value)
            # Six zeros are another loss, and are looked for elsewhere.
            if number >= 2**_SINGLE_BITS and number % LOST_ZEROS:
                bits = _single_bits(number, is_whole_type=not isinstance(value, float | str))
                if not bits:
                    self._is_settled = True
                    return
                self._single[number] = bits

    def require_none(self, origin: str = "messages") -> None:
        """
        Make sure that the numbers looked at so far are no 32-bit floats.

        :param origin: the name of the list.
        :raises InvalidMessageError: they all are, and too many for a coincidence.
        """
        if not self._is_settled and len(self._single) > 1 and sum(self._single.values()) >= _ENOUGH_BITS:
            raise InvalidMessageError(
                f"{origin}: all recipients are numbers that were rounded to 32-bit floats: digits were lost; "
                "read the column as text where it comes from, and hand in numbers as text"
            )

    def require_one_text(self, row: int, column: str, recipient: object, number: str, text: str) -> None:
        """
        Make sure that a rounded number of a whole type has one text: two would be those of two people.

        :raises InvalidMessageError: it had another text in an earlier row.
        """
        if isinstance(recipient, str) or not ends_in_lost_zeros(number):
            return
        first, other = self._rounded.setdefault(number, (row, text))
        if other != text:
            shape, reason = mask(recipient), f"the same number with another text: {LOST_DIGITS}"
            rows = tuple(RowProblem(each, column, shape, reason) for each in (first, row))
            raise InvalidMessageError(
                f"rows {first:,} and {row:,} have different texts for the same number, which ends in six "
                f"zeros: {LOST_DIGITS}. Nothing of this list is sent.",
                problems=rows,
                count=len(rows),
            )


def _as_whole(value: Any) -> int:
    """Give a number as an integer; 0 for text that is written as text, and for what is no phone number."""
    if isinstance(value, str):
        whole, _, zeros = value.partition(".")
        is_written_by_float = (
            zeros and not zeros.strip("0") and whole.isdecimal() and len(whole) <= _MOST_DIGITS
        )
        return int(whole) if is_written_by_float else 0
    try:
        return int(value) if is_number(value) and 0 < value < 10**_MOST_DIGITS else 0
    except ArithmeticError:  # a signalling NaN
        return 0


def _single_bits(number: int, *, is_whole_type: bool) -> int:
    """Say how surprising it is that a number looks like a 32-bit float, in bits; 0 if it does not."""
    spare = number.bit_length() - _SINGLE_BITS
    exact = spare if number % (1 << spare) == 0 else 0
    written = 0 if is_whole_type or number % _SINGLE_ZEROS else _BITS_OF_SINGLE_ZEROS
    return max(exact, written)
