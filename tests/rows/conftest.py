"""How hypothesis runs here: without a deadline, since the first number of all loads the numbering plans."""

from hypothesis import settings

settings.register_profile("rows", deadline=None)
settings.load_profile("rows")
