"""Numbers that lost digits before they were handed in: nobody's number is put together from what is left."""

import io
import json
import struct
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_file, read_rows
from airflow_provider_p2psms.rows.rounding import is_coarse

NUMBERS = [9121234567, 9351234568]


def check(messages, **rules):
    return list(check_rows(read_rows(messages), RowRules(**rules)))


def single(number):
    """Give what a 32-bit float keeps of a number, as a float of Python."""
    return struct.unpack("f", struct.pack("f", number))[0]


@pytest.mark.parametrize(
    "recipient",
    [
        9120000000.0,
        989121000000.0,
        np.float64(9120000000),
        np.longdouble(9120000000),
        Decimal("9.12E+9"),
        Decimal("9120000000.00"),
        Fraction(9120000000),
        "9120000000.0",
        "9120000000.00",
        "+989120000000.0",
        "۹۱۲۰۰۰۰۰۰۰٫۰",
        "9.12E+09",
        "9.12×10^9",
        "9.12 x 10⁹",
    ],
)
@pytest.mark.parametrize("shape", ["pair", "group"])
def test_a_rounded_number_is_refused(recipient, shape):
    """What a spreadsheet rounded ends in six zeros, and is nobody's number for certain."""
    row = (recipient, "hi") if shape == "pair" else {"recipients": [recipient], "message": "hi"}

    (problem,) = check([row])

    assert isinstance(problem, RowProblem)
    assert "digits were lost" in problem.reason
    assert "912" not in str(problem)


@pytest.mark.parametrize(
    "recipient",
    [
        "+989121000000",
        "09121000000",
        "9121000000",
        9121000000,
        np.int64(9121000000),
        Decimal(9121000000),
        9121100000.0,
        Decimal(9121234560).normalize(),
    ],
)
def test_round_numbers_that_are_somebodys(recipient):
    """A text, a whole number of a database, or one with fewer zeros is as it was."""
    assert isinstance(check([(recipient, "hi")])[0], Message)


@pytest.mark.parametrize("recipient", [Decimal("sNaN"), Decimal("NaN"), float("nan")])
def test_what_is_not_a_number_has_lost_no_digits(recipient):
    """It is a row without a recipient, also where comparing it raises an error."""
    (problem,) = check([(recipient, "hi")])

    assert isinstance(problem, RowProblem)
    assert "digits were lost" not in problem.reason


@pytest.mark.parametrize("content", ["9.12E+09", "9120000000.0"])
def test_a_file_that_a_spreadsheet_saved(content):
    """Read as a CSV, with pandas, or from JSON, nobody gets another one's text."""
    csv = f"recipient,message\n{content},for Sara\n{content},for Omid\n"
    file = read_file(io.BytesIO(csv.encode()), name="list.csv")
    from_json = json.dumps([[float(content), "for Sara"], [float(content), "for Omid"]])

    for rows in (file, read_rows(pd.read_csv(io.StringIO(csv))), read_rows(from_json)):
        results = list(check_rows(rows, RowRules()))
        assert [True, True] == [
            isinstance(result, RowProblem) and "digits were lost" in result.reason for result in results
        ]


SHARED = [
    pd.DataFrame({"recipient": [9120000000, 9120000000], "message": ["a", "b"]}),
    pl.DataFrame({"recipient": [9120000000, 9120000000], "message": ["a", "b"]}),
    [(9120000000, "a"), (np.int64(989120000000), "b")],
    [(Decimal(9120000000), "a"), *[("09121234567", "x")] * 3_000, (9120000000, "b")],
    [{"recipients": [9121234567, 9120000000], "message": "a"}, {"recipients": [9120000000], "message": "b"}],
]


@pytest.mark.parametrize("messages", SHARED, ids=range(len(SHARED)))
def test_a_whole_number_that_several_share(messages):
    """One rounded integer with two texts stands for two people: the list is refused, both rows named."""
    last = len(messages)

    with pytest.raises(InvalidMessageError, match=f"rows 1 and {last:,} .* digits were lost") as caught:
        check(messages)

    assert [1, last] == [problem.row for problem in caught.value.problems]
    assert "912" not in f"{caught.value}{caught.value.problems}"


def test_a_whole_number_of_one_person():
    """The same text twice, texts that are bad, or numbers written as text are no sign of a rounded number."""
    rows = [(9120000000, "a"), (9120000000, "a"), (9120000000, ""), ("9120000000", "b"), (9121234567, "c")]

    assert [True, True, False, True, True] == [isinstance(each, Message) for each in check(rows)]


class Kind:
    """A column's type of a library that is not installed here."""

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name


@pytest.mark.parametrize(
    ("kind", "coarse"),
    [
        (np.dtype("float16"), True),
        (np.dtype("float32"), True),
        (np.dtype("float64"), False),
        (np.dtype("longdouble"), False),
        (np.dtype("int64"), False),
        (np.dtype("object"), False),
        (pd.Float32Dtype(), True),
        (pd.Float64Dtype(), False),
        (pd.SparseDtype("float32"), True),
        (pd.SparseDtype("float64"), False),
        (pd.CategoricalDtype(np.array([1.5], "float32")), True),
        (pd.CategoricalDtype(pd.array([1.5], "Float32")), True),
        (pd.CategoricalDtype([1.5]), False),
        (pd.CategoricalDtype(["float"]), False),
        (pd.CategoricalDtype(), False),
        (pd.StringDtype(), False),
        (Kind("float[pyarrow]"), True),
        (Kind("halffloat[pyarrow]"), True),
        (Kind("double[pyarrow]"), False),
        (Kind("dictionary<values=float, indices=int32, ordered=0>[pyarrow]"), True),
        (Kind("dictionary<values=double, indices=int32, ordered=0>[pyarrow]"), False),
        (Kind("list<item: float>[pyarrow]"), True),
        (Kind("decimal128(12, 2)[pyarrow]"), False),
        (Kind("FLOAT"), True),
        (Kind("DOUBLE"), False),
        (Kind("bfloat16"), True),
        (Kind("float8_e4m3fn"), True),
        (pl.Float32(), True),
        (pl.Float32, True),
        (pl.Float64(), False),
        (pl.List(pl.Float32), True),
        (pl.Array(pl.Float32, 2), True),
        (pl.Struct({"number": pl.Float32}), True),
        (pl.List(pl.Float64), False),
        (pl.Enum(["float"]), False),
        (pl.Categorical(), False),
        (pl.String(), False),
    ],
    ids=str,
)
def test_types_that_lose_digits(kind, coarse):
    """A float of fewer than 53 bits is known in any library, and whatever it is wrapped in."""
    assert coarse == is_coarse(kind)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(NUMBERS, dtype="float32").astype("category"),
        pd.Series(NUMBERS, dtype="Float32").astype("category"),
        pd.Series(NUMBERS, dtype=pd.SparseDtype("float32")),
    ],
    ids=lambda column: str(column.dtype),
)
def test_columns_that_lose_digits(column):
    """A column of such a type holds no recipients."""
    with pytest.raises(InvalidMessageError, match=r"32.bit"):
        check(pd.DataFrame({"recipient": column, "message": ["a", "b"]}))


def test_groups_that_lose_digits():
    """A column of lists of them holds no groups."""
    numbers = pl.Series([[each] for each in NUMBERS], dtype=pl.List(pl.Float32), strict=False)
    frame = pl.DataFrame({"recipients": numbers, "message": ["a", "b"]})

    with pytest.raises(InvalidMessageError, match=r"32.bit"):
        check(frame, recipient_column="recipients")


SHORT = pd.DataFrame({"recipient": pd.Series(NUMBERS, dtype="float32"), "message": ["a", "b"]})
UNTYPED = {
    "records": SHORT.to_dict("records"),
    "iterrows": [row for _, row in SHORT.iterrows()],
    "object": SHORT.astype(object),
    "float64": SHORT.astype({"recipient": "float64"}),
    "int64": SHORT.astype({"recipient": "int64"}),
    "lists": SHORT.to_numpy().tolist(),
    "polars": pl.DataFrame({"recipient": SHORT["recipient"].to_numpy(), "message": ["a", "b"]}).to_dicts(),
    "recarray": [tuple(row) for row in SHORT.to_records(index=False)],
    "group": [{"recipients": [single(number) for number in NUMBERS], "message": "a"}],
    "real of a database": [(9121235000.0, "a"), (9351235000.0, "b")],
    "text": [(str(single(number)), "a") for number in NUMBERS],
    "many": [(single(number), "a") for number in range(9121234567, 9121244567)],
    "short numbers": [(single(number), "a") for number in range(91234567, 91240000, 97)],
}


@pytest.mark.parametrize("messages", UNTYPED.values(), ids=UNTYPED)
def test_a_lost_type_is_found_by_its_numbers(messages):
    """Where 32-bit floats became floats or integers of Python, all of them together show it."""
    with pytest.raises(InvalidMessageError, match="all recipients are numbers") as caught:
        check(messages)

    assert "32-bit floats" in str(caught.value)
    assert "912" not in str(caught.value)


def test_a_file_of_lost_digits_is_named():
    """A CSV that was written of 32-bit floats is refused by its name."""
    lines = "".join(f"{single(number)},hi\n" for number in NUMBERS)
    file = read_file(io.BytesIO(f"recipient,message\n{lines}".encode()), name="data/list.csv")

    with pytest.raises(InvalidMessageError, match=r"^list\.csv: all recipients"):
        list(check_rows(file, RowRules()))


def test_a_list_of_one_number_shows_nothing():
    """One number in a thousand is what a 32-bit float may hold: by itself it is taken as it is."""
    assert isinstance(check([(single(9121234567), "a")])[0], Message)
    assert isinstance(check([(single(9121234567), "a"), (single(9121234567), "b")])[0], Message)
    assert isinstance(check([(single(9121234567), "a"), (9351234567.0, "b")])[0], Message)


@given(
    st.lists(st.integers(9_120_000_000, 9_129_999_999).filter(lambda n: n % 10**6), min_size=3, unique=True)
)
def test_floats_that_kept_their_digits(numbers):
    """Whole numbers in floats of 64 bits are taken, unless all of them look like shorter floats."""
    rows = [(float(number), "a") for number in numbers]
    if any(number % 512 and number % 1000 for number in numbers):
        assert [f"+98{number}" for number in numbers] == [each.recipient for each in check(rows)]
    else:
        with pytest.raises(InvalidMessageError, match=r"32.bit"):
            check(rows)
