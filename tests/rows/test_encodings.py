"""Text files in the encodings that people's computers write: read right, or refused with the line."""

import codecs
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import RowRules, check_rows, encoding, read_file
from airflow_provider_p2psms.rows.code_pages import code_pages_of
from airflow_provider_p2psms.rows.rules import FileRules

# Rows of a list in each language, with names and signs as they come.
TEXTS = {
    "fa": "سلام علي عزيز، سفارش شما ارسال شد. پژوهش گچ iPhone 13 VIPها وSMS «تخفيف» مثلاً 5×3|رضا|شک|مثلا ً",
    "ar": "مرحبا محمد، تم شحن طلبك رقم 5 إلى الرياض|أحمد|فاطمة",
    "de": "Grüße Müller: Größe für Österreich, Straße, Ärger 5 € – „gut“ 20°C m² © 2024|Jörg|Bärbel|Zoë",
    "fr": "Bonjour José, l’été à l'École déjà reçu n°5 « ça va » 3½|Zoë|Hélène|Éric",
    "es": "¡Hola Martínez! ¿Qué tal? Mañana a las 5ª García Nº 3|Peña|Íñigo|Mª José",
    "pt": "Olá João, São Paulo: informações à irmã|Conceição",
    "sv": "Hej Björn, Malmö Åsa på ”Öl”|Åke",
    "da": "Kære Søren, på gensyn i Århus|Bjørn|Kjær",
    "is": "Góðan dag Þórður, þetta er ýtni|Sigurður",
    "tr": "Sayın Şükrü, siparişiniz ulaştı. Işığı değil İstanbul|Gülşah|Çağrı",
    "cs": "Dobrý den Tomáš, příští týden žížala říše|Dvořák|Žižka|Müller",
    "pl": "Dzień dobry Łukasz, są żółte źrebię|Paweł|Świętosław",
    "hu": "Kedves Jenő, a megrendelése elküldve: tűz, őr|Győző|Ödön",
    "hr": "Poštovani Ivić, vaša narudžba je poslana, đak|Žeželj",
    "ru": "Здравствуйте, Иван! Ваш заказ №5 отправлен. Пётр «меня» iPhone|Мария",
    "uk": "Вітаємо, Іван! Ваше замовлення їде, її є|Марія",
    "el": "Γειά σου Γιώργος, η παραγγελία σας Άννα|Μαρία",
    "he": "שלום דוד, ההזמנה שלך נשלחה|שרה",
    "th": "สวัสดี สมชาย คำสั่งซื้อของคุณ เปิด ไป|มาลี",
    "lv": "Labdien Jānis, jūsu pasūtījums šķērso ielu|Kārlis",
    "ja": "こんにちは山田様、ご注文の商品を発送しました。ﾔﾏﾀﾞ|佐藤",
    "zh": "您好王伟，您的订单已经发货，请注意查收。|李娜",
    "tw": "您好王偉，您的訂單已經出貨，請注意查收。|李娜",
    "ko": "안녕하세요 김철수님, 주문하신 상품이 발송되었습니다.|이영희",
}
HOMES = [
    ("fa", "cp1256", "IR"), ("fa", "cp1256", "AF"), ("ar", "cp1256", "SA"), ("ar", "cp1256", "MA"),
    ("fr", "cp1252", "MA"), ("fr", "cp1252", "FR"), ("fr", "cp1252", "SN"), ("de", "cp1252", "DE"),
    ("es", "cp1252", "MX"), ("pt", "cp1252", "BR"), ("sv", "cp1252", "SE"), ("da", "cp1252", "DK"),
    ("is", "cp1252", "IS"), ("tr", "cp1254", "TR"), ("cs", "cp1250", "CZ"), ("pl", "cp1250", "PL"),
    ("hu", "cp1250", "HU"), ("hr", "cp1250", "HR"), ("hr", "cp1250", "RS"), ("ru", "cp1251", "RU"),
    ("uk", "cp1251", "UA"), ("el", "cp1253", "GR"), ("he", "cp1255", "IL"), ("th", "cp874", "TH"),
    ("lv", "cp1257", "LV"), ("ja", "cp932", "JP"), ("zh", "gb18030", "CN"), ("tw", "cp950", "TW"),
    ("ko", "cp949", "KR"),
]  # fmt: skip


def table(language, texts=TEXTS):
    rows = "".join(f"0912123456{n % 10};{text}\n" for n, text in enumerate(texts[language].split("|")))
    return f"recipient;message\n{rows}"


def detect(content, region):
    """Name the encoding; "" if the file is refused."""
    try:
        return encoding.detect_encoding(io.BytesIO(content), origin="rows.csv", region=region)
    except InvalidMessageError:
        return ""


def read(content, name="rows.csv", region="IR", **how):
    checked = check_rows(read_file(io.BytesIO(content), name=name, **how), RowRules(region=region))
    return list(checked), checked.reading.encoding


@pytest.mark.parametrize(("language", "page", "region"), HOMES)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_list_as_windows_saves_it_at_home(language, page, region, ends):
    """Each region's code page is read right."""
    assert page == detect(table(language).replace("\n", ends).encode(page), region)


def test_every_region_has_a_code_page():
    """A region without one of its own has the Western one."""
    assert ["cp1252"] == code_pages_of("DE") == code_pages_of("ZA")
    assert ["cp1256"] == code_pages_of("IR")
    assert ["cp1250", "cp1251"] == code_pages_of("RS")


_OLD = """
    cp437 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp720 cp737 cp775 cp869
    mac_roman mac_latin2 mac_cyrillic mac_greek mac_turkish mac_iceland mac_arabic mac_farsi mac_croatian
    koi8_r koi8_u iso8859_1 iso8859_2 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_13
    iso8859_15 euc_jp euc_kr big5
"""
OLD = _OLD.split()
PAGES = sorted({page for _, page, _ in HOMES})


def write(language, page):
    """Write a list in an encoding, without the signs that it lacks; ``None`` if it lacks letters."""
    text = "".join(
        char for char in table(language) if char.isalnum() or char.encode(page, "ignore").decode(page) == char
    )
    try:
        return text.encode(page)
    except UnicodeEncodeError:
        return None


def is_harmless(content, page, region):
    found = detect(content, region)
    return not found or content.decode(found) == content.decode(page)


@pytest.mark.parametrize("region", ["IR", "SA"])
@pytest.mark.parametrize("page", [*PAGES, *OLD])
def test_no_letters_of_another_encoding_reach_a_persian_or_arabic_text(page, region):
    """What is none of the region's is refused, and never read as something else."""
    for language in TEXTS:
        if content := write(language, page):
            assert is_harmless(content, page, region), language


@pytest.mark.parametrize(("language", "home", "region"), HOMES)
def test_other_encodings_of_the_same_language_are_read_right_or_refused(language, home, region):
    """Those of DOS, of a Mac, of Unix: as what they are, or not at all."""
    for page in (home, *OLD):
        if content := write(language, page):
            assert is_harmless(content, page, region), page


@pytest.mark.parametrize(
    ("language", "page", "region", "line"),
    [
        ("de", "cp1252", "IR", 2),
        ("ru", "cp1251", "IR", 2),
        ("ar", "iso8859_6", "SA", 2),
        ("fa", "cp1256", "DE", 2),
        ("el", "cp1253", "DE", 2),
        ("ru", "koi8_r", "RU", 2),
        ("de", "cp850", "DE", 2),
        ("es", "mac_roman", "ES", 2),
        ("cs", "iso8859_2", "CZ", 4),
        ("cs", "cp1250", "DE", 2),
    ],
)
def test_an_unknown_encoding_is_refused_with_its_line(language, page, region, line):
    """The error says where it shows, which code page was tried, and what to do."""
    content = table(language).encode(page, "ignore")

    with pytest.raises(
        InvalidMessageError, match=rf"rows.csv, line {line}: the encoding is not known"
    ) as caught:
        read(content, name="folder/rows.csv", region=region)

    assert f"the code page of {region}" in str(caught.value)
    assert "encoding='cp1252'" in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_french_and_arabic_of_one_region():
    """Where both are written, letters that both code pages have are read; others decide."""
    assert "cp1256" == detect("recipient;message\n1;déjà reçu\n".encode("cp1252"), "MA")
    assert "cp1252" == detect("recipient;message\n1;École déjà\n2;Éric\n".encode("cp1252"), "MA")


def test_two_code_pages_that_both_make_words():
    """If two code pages give different words, the file is refused with the first line that differs."""
    french = "déjà reçu été où Zoë\n".encode("cp1252")
    content = b"recipient;message\n1;" + french + "2;السلام\n".encode("cp1256")

    with pytest.raises(
        InvalidMessageError, match=r"line 3: the encoding is not known: .* make different words"
    ):
        encoding.detect_encoding(io.BytesIO(content), origin="rows.csv", region="MA")


PERSIAN = "سلام، سفارش شما ارسال شد"


@pytest.mark.parametrize("share", [1, 2, 3, 10, 50, 90, 97, 98, 99])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("text", [PERSIAN, "سارا", "ما", "hi 😀"])
def test_a_mixture_of_utf_8_and_cp1256_is_refused(share, is_first, text):
    """However much of each there is, and wherever it begins."""
    utf8, other = [f"1;{text}\n".encode()] * share, [f"1;{PERSIAN}\n".encode("cp1256")] * (100 - share)
    rows = utf8 + other if is_first else other + utf8

    with pytest.raises(InvalidMessageError, match=r"rows.csv, line \d+: ") as caught:
        read(b"recipient;message\n" + b"".join(rows))

    line = int(str(caught.value).split("line ")[1].split(":")[0])
    assert line in {2, 2 + (share if is_first else 100 - share)}


@pytest.mark.parametrize(("page", "region"), [("cp1252", "DE"), ("cp1254", "TR"), ("cp1250", "CZ")])
def test_one_line_of_utf_8_in_a_western_file(page, region):
    """A single letter shows it."""
    content = "recipient;message\n1;Müller ö\n2;ü\n".encode(page) + "3;Zoë\n".encode() + "4;Öl\n".encode(page)

    with pytest.raises(InvalidMessageError, match="line 4: this line is UTF-8, others are not"):
        read(content, region=region)


@given(
    st.lists(st.text("ابپتثجچحخدذرزژسشصضطظعغفقكگلمنوهي ،", min_size=3, max_size=30), min_size=40, max_size=60)
)
def test_persian_texts_have_no_utf_8_by_chance(texts):
    """Random letters are the worst case: they are never taken for UTF-8."""
    content = "recipient;message\n" + "".join(f"1;سلام {text}\n" for text in texts)

    assert "cp1256" == detect(content.encode("cp1256"), "IR")


def test_a_mixture_far_down():
    """Also where the file was long known to be UTF-8: while it is read, with the line."""
    row = f"09121234567;{PERSIAN}\n"
    content = b"recipient;message\n" + row.encode() * 60_000 + row.encode("cp1256")

    with pytest.raises(
        InvalidMessageError, match=r"line 60,002: byte [\d,]+ of the file cannot be read as UTF-8"
    ):
        read(content)


@pytest.mark.parametrize(
    ("said", "written", "shown"),
    [
        ("cp1252", "cp1252", "cp1252"),
        ("windows-1252", "cp1252", "cp1252"),
        ("latin-1", "latin-1", "iso8859-1"),
        ("cp850", "cp850", "cp850"),
        ("mac_roman", "mac_roman", "mac-roman"),
        ("utf-8", "utf-8-sig", "UTF-8"),
        ("utf-8-sig", "utf-8", "UTF-8"),
        ("UTF8", "utf-8", "UTF-8"),
        ("utf-16", "utf-16", "UTF-16"),
        ("utf-16-le", "utf-16-le", "UTF-16"),
        ("utf-16-be", "utf-16-be", "UTF-16"),
        ("utf-32", "utf-32", "UTF-32"),
        ("utf-7", "utf-7", "utf-7"),
    ],
)
def test_the_encoding_that_is_named_is_used(said, written, shown):
    """By any of its names, with and without a mark, and shown by its usual one."""
    (message,), found = read("recipient;message\n09121234567;Größe\n".encode(written), encoding=said)

    assert (shown, "Größe") == (found, message.text)


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        ("cp1256", codecs.BOM_UTF8),
        ("utf-8", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_LE),
        ("utf-16-le", codecs.BOM_UTF16_BE),
        ("utf-32-be", codecs.BOM_UTF32_LE),
        ("utf-32-le", codecs.BOM_UTF32_BE),
        ("utf-16", codecs.BOM_UTF32_LE),
    ],
)
def test_a_mark_that_says_otherwise(said, mark):
    """A file that begins with the mark of another encoding is refused."""
    with pytest.raises(InvalidMessageError, match=r"rows.csv begins with the mark of UTF-\d+, but encoding="):
        read(mark + b"recipient;message\n", encoding=said)


@pytest.mark.parametrize("said", ["utf-16-le", "utf-16"])
def test_a_mark_that_agrees_is_no_text(said):
    """It is taken off."""
    content = codecs.BOM_UTF16_LE + "recipient;message\n09121234567;hi\n".encode("utf-16-le")

    assert "hi" == read(content, encoding=said)[0][0].text


@pytest.mark.parametrize(
    ("said", "content", "line"),
    [
        ("utf-8", b"recipient;message\n1;ok\n2;Gr\xf6\xdfe\n", 3),
        ("cp1252", b"recipient;message\r1;ok\r2;Gr\x81e\r", 3),
        ("ascii", b"recipient;message\n1;\xe9\n", 2),
        ("utf-16", b"recipient;message\n", 1),
        ("utf-16-le", "recipient;message\n1;s".encode("utf-16-le") + b"\0\xd8", 2),
        ("cp932", b"recipient;message\r\n\r\n1;\x81\r\n", 3),
        ("idna", b"recipient;message\n1;\xe9\n", 1),
    ],
)
def test_bytes_that_the_named_encoding_lacks(said, content, line):
    """They are refused with the line, and nothing of the file is shown."""
    with pytest.raises(InvalidMessageError, match=rf"rows.csv, line {line}: byte [\d,]+ of the file cannot"):
        read(content, encoding=said)


@pytest.mark.parametrize("said", ["klingon", "hex", "rot13", "undefined", "", "utf\0", 8])
def test_what_is_no_encoding(said):
    """Checked before any file is opened."""
    with pytest.raises(InvalidMessageError, match="encoding is not a text encoding that Python knows"):
        FileRules(encoding=said)


@pytest.mark.parametrize(
    "content", [b"\0\1\2recipient,message\n", "recipient,message\n".encode("utf-32-le"), b"rec\0" + b"x" * 99]
)
def test_a_header_with_nul_bytes(content):
    """It is no text file, or in an encoding without a mark that cannot be told."""
    with pytest.raises(InvalidMessageError, match=r"rows.csv is no text file: line 1 holds NUL bytes"):
        read(content)


def test_nul_bytes_further_down_are_problems_of_their_rows():
    """A NUL in a column that nobody uses harms nobody."""
    found, _ = read(b"recipient,message,flag\n09121234567,hi,\0\n09121234567,h\0i,\n")

    assert [None, "rows.csv, line 3"] == [
        each.place if isinstance(each, RowProblem) else None for each in found
    ]


@pytest.mark.parametrize(
    ("text", "page", "region"),
    [
        ("ÇáÓáÇã ãÍãÏ", "cp1252", "DE"),  # Arabic, without a byte that cp1252 lacks
        ("こんにちは", "euc_jp", "CN"),
        ("こんにちは", "euc_jp", "JP"),
        ("안녕하세요", "euc_kr", "CN"),
        ("丂丄丅丆", "gb18030", "CN"),
        ("Жаба Иван", "koi8_r", "RU"),
        ("а б в г д", "cp1251", "RU"),
        ("Größe für Äpfel", "cp1252", "RU"),
    ],
)
def test_what_taken_together_makes_no_words(text, page, region):
    """Where no two letters show it, all of them do."""
    assert not detect(f"recipient;message\n1;{text}\n".encode(page), region)


def test_a_long_file_is_judged_by_its_beginning():
    """And by what stands beside what in all of it."""
    rows = "".join(f"1;سلام {n} عزيز\n" for n in range(20_000))

    assert "cp1256" == detect(f"recipient;message\n{rows}".encode("cp1256"), "IR")
    assert not detect(f"recipient;message\n{rows}1;Gr".encode("cp1256") + b"\xf6\xdfe\n", "IR")


def test_a_region_whose_letters_are_not_listed():
    """All letters of its code page are read there."""
    assert "cp1258" == detect("recipient;message\n1;Chào Hùng, đơn\n".encode("cp1258"), "VN")
    assert "cp1254" == detect("recipient;message\n1;Şükrü\n".encode("cp1254"), "AZ")
