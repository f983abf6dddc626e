"""Texts that a program damaged, or left empty to the eye: nobody pays for them."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_rows
from airflow_provider_p2psms.rows.damage import clean, find_damage
from airflow_provider_p2psms.rows.fast.texts import check_texts
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.invisible import is_blank, may_be_blank
from airflow_provider_p2psms.rows.sms_text import check_text
from airflow_provider_p2psms.rows.stand_ins import as_words, find_stand_in

NUMBER = "09121234567"


def check(*rows, **rules):
    return list(check_rows(read_rows(rows), RowRules(**rules)))


INVISIBLE = [
    *(" ", "\t\r\n", "\u00a0", "\u3000", "\u2028", "\x1c"),
    *("\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u061c", "\u202a\u202c", "\u2066\u2069", "\u2060"),
    *("\ufeff", "\u00ad", "\u034f", "\u115f", "\u1160", "\u3164", "\uffa0", "\u17b4", "\u17b5", "\u180b"),
    *("\u180e", "\u2063", "\u2800", "\ufe0f", "\U000e0001\U000e007f", "\U000e0100", "\u206a", "\ufff9"),
    " \u200c\u200f \u2800",
]


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_what_nobody_sees_is_empty(text):
    """A text of characters that are not seen is as good as none: the common text takes its place."""
    with pytest.raises(InvalidValueError, match="empty"):
        check_text(text)
    with pytest.raises(InvalidValueError):
        check_texts(["سلام", text, "hello"], [part.encode() for part in ["سلام", text, "hello"]])

    assert "is empty" in check((NUMBER, text))[0].reason
    assert "Hello" == check((NUMBER, text), text="Hello")[0].text
    assert "" == check({"recipient": NUMBER, "message": "x", "id": text}, key_column="id")[0].key
    assert "empty" in check((text, "x"))[0].reason


def test_every_character_that_python_calls_invisible_is_so():
    """White space and format characters are not seen, but for the signs that are drawn around digits."""
    drawn = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    chars = map(chr, (code for code in range(sys.maxunicode + 1) if code not in drawn))

    unseen = [char for char in chars if char.isspace() or unicodedata.category(char) == "Cf"]

    assert [] == [ascii(char) for char in unseen if not is_blank(char)]
    assert all(may_be_blank({char.encode()[0]}, char.encode()) for char in unseen)
    assert not any(is_blank(chr(code)) for code in drawn)


@pytest.mark.parametrize(
    "text",
    ["\u200fسلام", "می\u200cرود", "❤️", "👩\u200d💻", "a", "\u0650", "-", "\u0600", ".", "é\u00ad"],
    ids=ascii,
)
def test_what_has_something_to_be_seen_is_sent_as_it_is(text):
    """Invisible characters within a text are its own affair."""
    assert [text, text] == [each.text for each in check((NUMBER, text), (NUMBER, text))]


DAMAGED = {
    "control": [
        "a\0b",
        "a\x01",
        "\x0b!",
        "سلام\x1b[1m",
        "a\x7f",
        "é\x85",
        "a\x9f",
        "a\ufffe",
        "a\uffff",
        "\ufdd0!",
        "😀\U0001ffff",
    ],
    "surrogate": ["a\ud83d", "\udc80"],
    "U\\+FFFD": ["\ufffd", "سلام \ufffd\ufffd", "Gr\ufffd\ufffde"],
    "question marks": [
        *(
            "????",
            "????? ????? 1234",
            "??? ??, 12:30",
            "(???)",
            "???? Ali, ???? ??? 123",
            "???? ????? https://a.ir",
        ),
        *("Dear ???? ??????, your order has shipped", "?? ??", "«????» ???"),
    ],
    "error value": [
        *(
            "#N/A",
            "Dear #N/A, your order",
            "order #REF!",
            "#NAME?",
            "a #VALUE! b",
            "#DIV/0!.",
            "#NULL!",
            "#NUM!",
        ),
        *(
            "#SPILL!",
            "(#CALC!)",
            "#GETTING_DATA",
            "#ERROR!",
            "#WERT!",
            "#BEZUG!",
            "مبلغ #N/D",
            "#¡VALOR!",
            "#ЗНАЧ!",
        ),
    ],
    "another encoding": [
        *(
            "Ø³Ù„Ø§Ù…",
            "Ø³Ù\x84Ø§Ù\x85",
            "سلام Ø¹Ù„ÛŒ",
            "ط³ظ„ط§ظ…",
            "GrÃ¶ÃŸe",
            "fÃ¼r Sie",
            "ÐŸÑ€Ð¸Ð²ÐµÑ‚",
            "donâ€™t",
            "Â£5",
        ),
    ],
    "Python writes": [
        "Dear <object object at 0x7f3a5b>",
        "<__main__.A object at 0xAB12>",
        "<function f at 0x1>",
    ],
}


@pytest.mark.parametrize(
    ("reason", "text"), [(reason, text) for reason, texts in DAMAGED.items() for text in texts], ids=ascii
)
def test_damaged_texts_are_refused(reason, text):
    """A damaged text is refused with the reason, alone or among good ones, from a column or filled in."""
    with pytest.raises(InvalidValueError, match=reason) as caught:
        check_text(text)
    problems = check((NUMBER, "good"), (NUMBER, text), {"recipient": NUMBER, "a": text}, text="نام: {a}.")

    assert f"({len(text)} characters)" == caught.value.shape
    assert isinstance(problems[0], Message)
    assert [(2, "message"), (3, "a")] == [(each.row, each.column) for each in problems[1:]]
    assert all(each.reason for each in problems[1:])


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Task a\0b failed\ud83d", "Task a b failed "),
        ("سلام\x1b[1m\uffff", "سلام [1m "),
        ("Dear <object object at 0x7f3a5b>!", "Dear <object object>!"),
        ("می\u200cرود\t😀\n", "می\u200cرود\t😀\n"),
    ],
    ids=ascii,
)
def test_a_text_can_be_cleaned_of_what_no_sms_carries(text, cleaned):
    """An alert goes without the characters that would hold it back; what is good stays as it is."""
    assert cleaned == clean(text)
    assert not find_damage(cleaned)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Really?",
            "What??",
            "Why??? Tell us",
            "?",
            "??",
            "5+5=? 3+3=?",
            "Quoi ?? Vraiment ??",
            "سلام؟؟",
            "a ? b",
        ),
        *(
            "#NUM",
            "#yalda",
            "Order #1234",
            "#ref",
            "#N/AB",
            "A#N/A",
            "### SALE ###",
            "Visit #NV",
            "Code: #12!",
            "#VALUE",
        ),
        *(
            "Größe",
            "ÉTÉ",
            "«MAÇÃ»",
            "Øl på Ås",
            "Ångström",
            "طعم عالی",
            "جمع‌بندی",
            "۱۲ متر مربع²",
            "Château",
            "¿Qué?",
        ),
        *(
            "a < b at 0x1f",
            "<b>",
            "at 0x12",
            "{name}",
            "[1] ^~|\\",
            "a\tb\r\nc\f",
            "😀",
            "it costs €5",
            "`x`",
            "null and none",
        ),
    ],
)
def test_ordinary_texts_are_sent(text):
    """What only resembles damage is not refused, alone or together."""
    assert check_text(text) == check_texts([text] * 3, [text.encode()] * 3)[0]
    assert isinstance(check((NUMBER, text))[0], Message)


MISSING = [
    *(
        "nan",
        "NaN",
        "NAN",
        "None",
        "NaT",
        "<NA>",
        "NA",
        "N/A",
        "n/a",
        "NULL",
        "null",
        "\\N",
        "(null)",
        "[NULL]",
    ),
    *("undefined", "<nil>", "[object Object]", "Invalid Date", "inf", " NULL ", "None\n"),
]
ERRORS = ["#N/A", " #REF!", "#NV", "#PYTHON!", "Err:502", "Err:540", "########", "Loading...", "#YOK", "#I/T"]


@pytest.mark.parametrize("word", [*MISSING, *ERRORS])
def test_stand_ins_are_no_values(word):
    """What a program writes for no value is refused as text, in a placeholder and as a key."""
    good = {"recipient": NUMBER, "message": "hi", "name": "Ali", "id": "7"}
    rows = [good | {"message": word}, good | {"message": None, "name": word}, good | {"id": word}]
    results = check(good, *rows, good, text="Dear {name}", key_column="id")

    assert [1, 5] == [each.row for each in results if isinstance(each, Message)]
    assert ["message", "name", "id"] == [each.column for each in results if not isinstance(each, Message)]
    assert word.strip() not in results[1].value
    assert results[1].reason == find_stand_in(word)
    assert results[1].reason in check((word, "hi"))[0].reason


def test_the_common_text_is_no_stand_in():
    """A template of Airflow whose value lacks becomes "None"."""
    with pytest.raises(ValueError, match="text holds a word"):
        RowRules(text="None")
    assert "NULL" == check((NUMBER, None), text="NULL", text_values=["NULL"])[0].text


@pytest.mark.parametrize("word", ["NULL", "None", "NA"])
def test_words_for_no_value_may_be_meant(word):
    """A person may be called so: the words that are meant are named."""
    row = {"recipient": NUMBER, "message": None, "name": word, "id": word}

    (filled,) = check(row, text="Dear {name}", key_column="id", text_values=[word])
    (own,) = check((NUMBER, word), text_values=(word,))

    assert (f"Dear {word}", word, word) == (filled.text, filled.key, own.text)
    assert "error value" in check((NUMBER, "#N/A"), text_values=["#N/A"])[0].reason


@pytest.mark.parametrize("words", ["NULL", [1]])
def test_words_that_are_meant_are_a_list_of_texts(words):
    """One text is no list of words."""
    with pytest.raises(ValueError, match="text_values must be a list of words"):
        RowRules(text_values=words)


@pytest.mark.parametrize(
    "name", ["Null", "Nan", "none", "Nancy", "nil", "Infinity", "?", "#1", "A/N", "-", "0"]
)
def test_names_that_resemble_stand_ins(name):
    """Only what programs write is refused: a name is not."""
    assert f"Dear {name}" == check({"recipient": NUMBER, "name": name}, text="Dear {name}")[0].text


@pytest.mark.parametrize(("value", "text"), [("", "Dear "), (" ", "Dear  ")])
def test_blank_values_of_rows_in_memory_are_values(value, text):
    """An empty text in a row in memory is used as it is; an invisible one is refused."""
    assert text == check({"recipient": NUMBER, "name": value}, text="Dear {name}")[0].text
    (problem,) = check({"recipient": NUMBER, "name": "\u200c"}, text="Dear {name}")
    assert ("name", "has no value that can be seen, and the text needs one") == (
        problem.column,
        problem.reason,
    )


@pytest.mark.parametrize("value", ["????", "??? ??", "(???) 12"])
def test_values_of_lost_letters(value):
    """A value whose letters became question marks is refused, though the text around it has letters."""
    (problem,) = check({"recipient": NUMBER, "name": value}, text="Dear {name}, hello")

    assert "name" == problem.column
    assert "question marks" in problem.reason


pieces = st.sampled_from(
    [
        *(
            "#N/A",
            "#REF!",
            "#",
            "??",
            "? ",
            "\ufffd",
            "\x1b",
            "\x85",
            "\u200c",
            "\u061c",
            " ",
            "a",
            "س",
            "ا",
            "é",
            "É",
        ),
        *(
            "Ø³",
            "Ù„",
            "Ã¼",
            "ط³",
            "ظ„",
            "<",
            " at 0x1f>",
            "😀",
            "\U0001fffe",
            "\ufdd0",
            "NULL",
            "nan",
            "\t",
            "\n",
            "[",
            "«",
        ),
    ]
)
texts = st.lists(pieces, min_size=1, max_size=6).map("".join) | st.sampled_from(MISSING + ERRORS + INVISIBLE)


@given(st.lists(texts, min_size=1, max_size=5), st.booleans())
def test_many_texts_are_judged_as_each_alone(many, are_long):
    """The look at many texts at once finds what the look at each finds."""
    if are_long:  # from some size on bytes are sought in another way
        many = [*many, *["س" * 60] * 50]
    assert all(map(is_fine, many)) == are_fine(many)


def is_fine(text):
    try:
        check_text(text)
    except InvalidValueError:
        return False
    return True


def are_fine(many):
    try:
        check_texts(many, [text.encode() for text in many])
    except InvalidValueError:
        return False
    return True


@given(texts)
def test_what_are_certainly_words_stand_for_nothing_else(text):
    """Values that are taken as they are have something to be seen, and are no stand-ins."""
    words = as_words(["Ali", text, "سارا"])

    if words is not None:
        assert not is_blank(text)
        assert not find_stand_in(text)
        assert as_words(words) is words


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_is_fine_or_has_a_reason(text):
    """A reason never shows the text."""
    reason = find_damage(f"ژ{text}ژ")

    assert isinstance(reason, str)
    assert f"ژ{text}ژ" not in reason
