"""How the recipients of one list are read, and what they tell together."""

from collections.abc import Sequence
from functools import partial

from airflow_provider_p2psms.rows.rounding import Losses
from airflow_provider_p2psms.rows.rules import RowRules

# To compile the patterns of a column takes as long as to read thousands of numbers one by one.
_FEW = 100


class Recipients:
    """
    Reads the recipients of one list, by its rules.

    ``losses`` sees all recipients that are numbers and not text.
    """

    def __init__(self, rules: RowRules) -> None:
        # Here and not above: a DAG file that only imports this room does not pay for phone number metadata.
        from airflow_provider_p2psms.rows.fast.numbers import known_column  # noqa: PLC0415
        from airflow_provider_p2psms.rows.phone_numbers import known_numbers, to_e164  # noqa: PLC0415

        region, mobiles_only = rules.region, rules.mobiles_only
        self.losses = Losses()
        self._read_column = partial(known_column, region, mobiles_only=mobiles_only)
        self._read_known = partial(known_numbers, region, mobiles_only=mobiles_only)
        self._read = partial(to_e164, region=region, trust_e164=rules.trust_e164, mobiles_only=mobiles_only)

    def known(self, values: Sequence[object]) -> list[str]:
        """
        Read a column; "" for each number that is not certain.

        :raises InvalidValueError: one cannot be read.
        """
        if len(values) < _FEW or (column := self._read_column()(values)) is None:
            self.losses.note(values)
            return list(map(self._read_known(), values))
        if "" not in column:
            return column
        read = self._read_known()
        return [number or read(value) for number, value in zip(column, values, strict=True)]

    def read(self, value: object) -> str:
        """
        Read one number.

        :raises InvalidValueError: it is none, or not surely one; says why.
        """
        self.losses.note((value,))
        return self._read(value)
