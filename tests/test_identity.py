"""Which texts and which spellings of a line are the same."""

import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.batch import BETWEEN
from airflow_provider_p2psms.identity import canonical_line, fold, fold_messages, is_simple

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.text(st.sampled_from("aBr19 \n\0&;<>/#x'\"`«»…—۱١يىیكکـ\u200c\u200d\u0654\u0301\ufe0f\u00a0ﷺ")),
    st.lists(
        st.sampled_from(["&amp;", "&#39;", "&#x200c;", "<br>", "& amp;", "<b", "r>", "lt;", "سلام"])
    ).map("".join),
)

PERSIAN = st.text(st.sampled_from("سلام دنیای می\u200cشود؟ ۱۲ كي ٣ ـ ًَّٕٔ `.~ab1"))


@pytest.mark.parametrize(
    "shown",
    [
        'كد شما: ١٢٣ «مي‌شود» - R&D\'s "کد"',
        'کد شما: 123 «می شود» - R&D\'s "کد"',
        "کد شما: ۱۲۳ «میشود» - R&amp;D&#39;s &quot;کد&quot;",
        "کد شما: ۱۲۳ «می&zwnj;شود» - R&amp;amp;D’s “کد”",
        '  کد شما:<br>۱۲۳<br/>«می\u200fشود» - R&D\'s "کد"\r\n',
        'کد\nشما:\u00a0۱۲۳\t\t“میـــشود” — R&D`s "کد"',
        "کد شما:<BR />１２３ ﴾".replace(" ﴾", "") + ' «می\u200dشود» – R＆D\'s "کد"',
    ],
)
def test_a_text_is_the_same_in_every_spelling(shown):
    """Letters, digits, half-spaces, white space, HTML and typography do not make another text."""
    assert fold('کد شما: ۱۲۳ «می‌شود» - R&D\'s "کد"') == fold(shown)


@pytest.mark.parametrize(
    ("one", "other"), [("code 1", "code 2"), ("Ali", "ali"), ("علی", "علا"), ("3.5", "35"), ("a-b", "ab")]
)
def test_another_text_is_another(one, other):
    """Case, letters, digits and punctuation count."""
    assert fold(one) != fold(other)


def test_the_form_is_the_one_that_ledgers_hold():
    """Written out once: if this test fails, ledgers of earlier versions are not recognised any more."""
    text = "Dear «علي»، كد ١٢\u200c۳…\r\n&amp; it’s ½ – <br> 😀\ufe0f ﷺ ـ e\u0301"

    assert 'Dear"علی"،کد123...&it\'s1⁄2-😀صلیاللهعلیهوسلمé' == fold(text)


def test_letters_that_stand_together_at_last_are_one():
    """What stood between a letter and its accent is left out first."""
    assert "\u00e9" == fold("e\u200c\u0301")
    assert ["1\0\u00e9".encode()] == fold_messages("1\0e\u200c\u0301".encode())


@given(TEXTS)
def test_folding_twice_is_folding_once(text):
    """What is folded stays as it is, and has no white space."""
    folded = fold(text)

    assert folded == fold(folded)
    assert not any(map(str.isspace, folded))


@given(st.lists(st.one_of(TEXTS, st.text(st.characters(max_codepoint=0x6FF)), PERSIAN)))
def test_many_messages_are_folded_as_each_is(texts):
    """The fast path gives what the plain one does."""
    texts = [text.replace("\0", "") for text in texts]
    messages = BETWEEN.join(f"+98912{place:07d}\0{text}".encode() for place, text in enumerate(texts))
    folded = [f"+98912{place:07d}\0{fold(text)}".encode() for place, text in enumerate(texts)]

    assert folded == fold_messages(messages)
    if is_simple("".join(texts)):
        assert folded == fold_messages(messages, are_simple=True)


@pytest.mark.parametrize("text", ["سلام{0}دنیا", "می\u200c{0}\u0301\u0654", "ab {0}\u064e\u0651c"])
def test_each_character_is_folded_alike(text):
    """Between letters, behind a half-space, before accents: the fast path gives what the plain one does."""
    for code in range(1, 0x700):
        typed = text.format(chr(code))
        folded, messages = [f"+98\0{fold(typed)}".encode()], f"+98\0{typed}".encode()
        assert folded == fold_messages(messages)
        if is_simple(typed):
            assert folded == fold_messages(messages, are_simple=True)


def test_usual_texts_are_simple():
    """The short way is taken where it counts."""
    for text in ("Your code is 1234.", "سفارش 12 ارسال شد و روز دوشنبه به دست شما می\u200cرسد."):
        assert is_simple(text)


@given(st.text(st.sampled_from("ab ۱يك\n&;<>'\"«…")))
def test_what_a_gateway_does_to_a_text_is_undone(text):
    """Escaped, decomposed, on one line or in presentation forms, it is the same text."""
    assert fold(text) == fold(html.escape(text)) == fold(html.escape(html.escape(text)))
    assert fold(text) == fold(unicodedata.normalize("NFD", text))
    assert fold(text) == fold(" ".join(text.split()))
    assert fold(text) == fold(text.replace("\n", "<br>").replace("ي", "ﻱ"))


@pytest.mark.parametrize(
    ("line", "canonical"),
    [
        ("3000505", "3000505"),
        ("+983000505", "3000505"),
        ("00983000505", "3000505"),
        ("983000505", "3000505"),
        ("03000505", "3000505"),
        ("+98 (3000) 505", "3000505"),
        ("۳۰۰۰۵۰۵", "3000505"),
        ("+98BANK", "bank"),
        ("Bank", "bank"),
        ("9812", "9812"),
        ("+441234567", "441234567"),
        ("", ""),
    ],
)
def test_a_line_is_the_same_in_every_spelling(line, canonical):
    """Country code, zeros, digits of another script and case do not make another line."""
    assert canonical == canonical_line(line)
    assert canonical == canonical_line(canonical)
