"""
Lines of a CSV by columns, without Python's reader of single records. Buys 0.34 s of CPU instead of 0.48 s.

What a CSV is, ``csv_file`` says.
"""

from airflow_provider_p2psms.rows.table import Columnar

_END = "\x1e"  # of a record, as ASCII has it: stands in the place of a line end, in a cell of its own


def split_columns(text: str, delimiter: str) -> tuple[Columnar, str] | None:
    """
    Take whole lines apart by columns.

    Gives what stands in quotes, too. ``None`` if the lines are not all alike: not as many cells in each, more
    than one kind of line end, quotes other than around a whole cell.
    """
    # Odd pieces stand in quotes. What is left has one quote in the place of each: a cell of its own, if these
    # were around a whole one, and if none was doubled within.
    pieces = text.split('"') if '"' in text else [text]
    quoted, plain = pieces[1::2], '"'.join(pieces[::2])
    end = "\r\n" if "\r" in plain else "\n"
    if not plain.endswith(end):
        plain += end
    mark = f"{delimiter}{_END}{delimiter}"
    marked = mark.join(plain.split(end))  # `replace` takes longer to find an end of two characters
    if _END in plain or delimiter == _END or "\r" in marked or "\n" in marked:
        return None
    cells = marked.split(delimiter)[:-1]
    size, width = (len(marked) - len(plain)) // (len(mark) - len(end)), cells.index(_END)
    if len(cells) != size * (width + 1) or cells[width :: width + 1].count(_END) != size:
        return None
    columns = [cells[place :: width + 1] for place in range(width)]
    if not quoted:
        return Columnar(columns), ""
    marks = [column.count('"') for column in columns]
    if sum(marks) != len(quoted):
        return None
    return Columnar(_unquote(columns, marks, quoted)), '"'.join(quoted)


def _unquote(columns: list[list[str]], marks: list[int], quoted: list[str]) -> list[list[str]]:
    """Put what stood in quotes into the cells of columns that hold one instead; each has so many marks."""
    whole = [place for place, count in enumerate(marks) if count == len(columns[place])]
    if sum(map(bool, marks)) == len(whole):  # nearly always a column is quoted in all its cells or in none
        for turn, place in enumerate(whole):
            columns[place] = quoted[turn :: len(whole)]
        return columns
    take = iter(quoted).__next__
    rows = [[take() if cell == '"' else cell for cell in row] for row in zip(*columns, strict=True)]
    return [list(column) for column in zip(*rows, strict=True)]
