"""A stray quote makes one text of several customers' rows: such a file is refused."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_file
from airflow_provider_p2psms.rows.headers import find_columns
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.swallowed import SwallowedRows

HEAD = "recipient,message,name\n"


def check(content, **rules):
    return list(check_rows(read_file(io.BytesIO(content.encode()), name="a/rows.csv"), RowRules(**rules)))


@pytest.mark.parametrize("above", ["", '09121234567,"say ""hi""",x\n'], ids=["split", "read"])
@pytest.mark.parametrize(
    ("content", "begin", "line"),
    [
        (HEAD + '09121234567,"a,x\n09121234568,b,y\n09121234569,c",z\n', 2, 3),
        (HEAD + '09121234567,"a,x\n09121234568,b",y\n', 2, 3),
        (HEAD + '09121234567,a,"x\n09121234568,b,y\n09121234569,c,z"\n', 2, 3),
        (HEAD + '09121234567,a,"x\n09121234568,b,y"\n', 2, 3),
        (HEAD + '"09121234567,a,x\n09121234568,b,y"\n', 2, 3),
        (HEAD + '09121234567,a,x\n\n09121234568,"\n\na,y\n+98 912 123 4569,b",z\n', 4, 7),
        (HEAD + '09121234567,"a,x\n۰۹۱۲۱۲۳۴۵۶۷,b,x\n",\n', 2, 3),
        (HEAD + '09121234567,"a,x\n+4915123456789,b,x\n",\n', 2, 3),
        (HEAD + '09121234567,"a,x\n09991234567,b,x\n",\n', 2, 3),
        (HEAD + '09121234567,"a,x\r\n09121234568,b,y\r\n09121234569,c",z\n', 2, 3),
        (HEAD + '"a\nb",c,\n09121234567,"a,x\n09121234568,b,y\n",z\n', 4, 5),
        (HEAD + '09121234567,"a\nb","x\n09121234568,b,y\n09121234569,c,z"\n', 3, 4),
        ('recipient;message\n09121234567;"a\n09121234568;b\n09121234569;c"\n', 2, 3),
        ('recipient\tmessage\n09121234567\t"a\n09121234568\tb"\n', 2, 3),
        ('message|recipient\n"a|09121234567\nb|09121234568\nc"|09121234569\n', 2, 3),
        ('id,recipient,message\n1,09121234567,"a\n2,09121234568,b\n3,09121234569,c"\n', 2, 3),
        ('name,recipient,message\n"Ali,09121234567,a\nSara,09121234568,b"\n', 2, 3),
        (HEAD + "09121234567,a,x\n" * 3_000 + '09121234567,"a,x\n09121234568,b,y\n",z\n', 3_002, 3_003),
    ],
    ids=range(18),
)  # fmt: skip
def test_rows_within_a_text_are_refused(content, begin, line, above):
    """Whatever the column, the delimiter and the spelling; the text and the first row in it are named."""
    shift = 0
    if above and content.startswith(HEAD):
        content, shift = content.replace(HEAD, HEAD + above, 1), 1

    reason = rf"rows.csv, line {begin + shift:,}: a quoted text begins here, and line {line + shift:,} within"
    with pytest.raises(InvalidMessageError, match=reason) as caught:
        check(content)

    assert "0912" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "Dear Ali,\nyour order is on its way.\nCall 09121234567, or 02188776655",
        "Yours\n09121234567",
        "Our numbers:\n09121234567,02188776655,09121234568",
        "Your courier:\n09121234567, Reza, on a bike",
        "09121234567\n09121234568\n09121234569",
        "Ali,\nTehran, Azadi Street 5, 1193653471\nIran",
        "a,b,c\nd,e,f\ng,h,i",
        "1,2,3\n4,5,6",
        "order\n123,5,x",
        "a\r\n09121234567\rb",
    ],
)
@pytest.mark.parametrize("quoted", ["", '""'])
def test_texts_of_many_lines_are_sent(text, quoted):
    """Addresses, signatures and lists of numbers are no rows."""
    content = f'{HEAD}09121234567,"{quoted}{text}",Ali\n09121234568,hi,Sara\n'

    assert [quoted[:1] + text, "hi"] == [each.text for each in check(content) if isinstance(each, Message)]


def test_two_numbers_in_one_cell_are_a_problem_of_their_row():
    """Not of the file."""
    (problem,) = check('recipient,message\n"09121234567\n09121234568",hi\n')

    assert "holds more than one number" in str(problem)


def test_a_table_of_one_column():
    """Lines of its cells have as many cells as its rows; the number itself says what is wrong."""
    (problem,) = check('recipient\n"09121234567\n09121234568"\n', text="hi")

    assert "holds more than one number" in str(problem)


def test_a_number_that_is_too_long_for_one():
    """Many digits are no phone number."""
    text = "a,b\n" + "0" * 60 + ",b\nc"

    assert [text] == [each.text for each in check(f'recipient,message\n09121234567,"{text}"\n')]


parts = st.sampled_from(["a", " b", "09121234567", "+4915123456789", ",", "\n", "\r\n", "123", ""])


@given(st.lists(st.lists(parts, max_size=9).map("".join), min_size=2, max_size=2))
def test_whatever_is_hidden_in_two_texts_is_found_however_they_are_read(texts):
    """The fast way through a file and the other one refuse the same."""
    cells = [f'"{text}"' for text in texts]
    content = HEAD + f"09121234567,{cells[0]},{cells[1]}\n"
    other = HEAD + '0912,"""",\n' + f"09121234567,{cells[0]},{cells[1]}\n"

    def refusal(content):
        try:
            check(content)
        except InvalidMessageError as err:
            return str(err).partition(": ")[2][:22]
        return ""

    assert refusal(content) == refusal(other)


def test_a_number_that_could_be_two():
    """One that is not certain is a number all the same."""

    def known(_values):
        raise InvalidValueError("could be two")

    table = read_file(io.BytesIO(b'recipient,message\n1,"a\n4444,b"\n'), name="rows.csv")
    assert table.header
    columns = find_columns(table.header, RowRules(message_column="text", text="hi"))
    swallowed = SwallowedRows(table, table.header, columns, known)

    with pytest.raises(InvalidMessageError, match="line 3 within it reads as a row"):
        swallowed.refuse_in(next(filter(len, table.chunks)))
