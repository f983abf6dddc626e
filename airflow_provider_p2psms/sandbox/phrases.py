# ruff: noqa: RUF001 - the gateway speaks Persian
"""
The gateway's own words: those that its documents print, letter by letter, the rest in their manner.

No text here is to be matched on by a client: it decides on the HTTP status and the code.
"""

DONE = "انجام شد"
NUMBERS_DONE = "Success"
PRICE_DONE = "calculate successfully"
BAD_CREDENTIALS = "اطلاعات وارد شده صحیح نمی باشد"
NOT_FOUND = "پیام مورد نظر یافت نشد"
NO_SUCH_PAGE = "آدرس مورد نظر یافت نشد"
INVALID_STATE = "invalid state"
REPEATED = "ارسال تکراری در کمتر از ۴۰ ثانیه مجاز نیست"
TOO_MANY_QUESTIONS = "تعداد درخواست ها بیش از حد مجاز است"
BLOCKED = "ارسال برای این حساب مسدود است"
REFUSED = "درخواست پذیرفته نشد"
SERVER_ERROR = "خطای داخلی سرور"
REJECT_COMMENT = "متن پیام تایید نشد"

_LABELS = {"message": "پیام", "files": "فایل ها"}

TOO_LARGE = "حجم درخواست بیش از حد مجاز است"
NOT_JSON = "بدنه درخواست JSON معتبر نیست"
NOT_A_FORM = "فرم ارسال شده معتبر نیست"
UNKNOWN_LINE = "شماره فرستنده معتبر نیست"
UNKNOWN_TYPE = "نوع ارسال معتبر نیست"
NOT_TEXT = "مقدار باید متن باشد"
NOT_A_LIST = "مقدار باید لیست باشد"
NOT_A_GROUP = "گروه باید شامل recipients و message باشد"
NOT_A_NUMBER = "مقدار باید عدد باشد"
BAD_RECIPIENT = "شماره گیرنده معتبر نیست"
TOO_LONG = "متن پیام بیش از ۱۴۰۰ کاراکتر یا ۲۰ بخش است"
TOO_MANY_RECIPIENTS = "تعداد گیرندگان بیش از حد مجاز است"
TOO_MANY_ROWS = "تعداد ردیف های فایل بیش از حد مجاز است"
BAD_SEND_TIME = "قالب زمان ارسال باید YYYY-MM-DD HH:MM:SS باشد"
SEND_TIME_RANGE = "زمان ارسال باید حداقل ۵ دقیقه و حداکثر ۳ ماه بعد باشد"
ONE_FILE = "فقط یک فایل مجاز است"
UNSUPPORTED_FILE = "فقط فایل CSV یا XLSX مجاز است"
UNREADABLE_FILE = "فایل قابل خواندن نیست"
NOT_PLAIN_UTF8 = "فایل باید UTF-8 بدون BOM باشد"
BAD_HEADER = "سطر اول فایل باید recipient,message باشد"
BAD_COLUMNS = "هر ردیف باید دقیقا دو ستون متنی داشته باشد"
NO_ROWS = "فایل هیچ ردیفی ندارد"

# What a state is called in a report: its word and its Persian label. Only those of 6 are printed.
STATES = {
    0: ("create", "در حال ایجاد"),
    1: ("monitoring", "در صف مانیتورینگ"),
    2: ("sending", "در حال ارسال"),
    3: ("reject", "رد شده"),
    4: ("invalid", "گیرندگان نامعتبر"),
    5: ("queue", "در صف ارسال"),
    6: ("finish", "پایان یافته"),
    7: ("cancel", "لغو شده"),
    8: ("no_credit", "عدم اعتبار کافی"),
    9: ("error", "خطای سیستم"),
}


def required(field: str) -> str:
    """Say that a field is missing, as the documents print it."""
    return f"تکمیل گزینه {_LABELS.get(field, field)} الزامی است"
