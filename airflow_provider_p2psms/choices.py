"""The words that parameters take: one list each, for operators and for the core, light to import."""

from typing import Literal

HiddenRows = Literal["fail", "skip", "send"]
Identity = Literal["text", "key"]
OnBackfill = Literal["skip", "send", "fail"]
OnEmpty = Literal["skip", "succeed", "fail"]
OnFailed = Literal["fail", "continue"]
OnInDoubt = Literal["reconcile", "fail", "resend"]
OnInvalid = Literal["fail", "skip"]
OnLate = Literal["fail", "send_now"]
OnStale = Literal["skip", "fail", "send"]
Until = Literal["sent", "delivered"]
