"""A spreadsheet file as a spreadsheet reads it: the cells of its only sheet."""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal
from typing import Any

from lxml import etree

MAIN = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def cells(raw: bytes) -> list[list[str | Decimal]]:
    """Row by row. A text comes as it is shown, a number as a Decimal; anything that would be run fails."""
    with zipfile.ZipFile(io.BytesIO(raw)) as book:
        assert book.testzip() is None
        (name,) = [one for one in book.namelist() if re.fullmatch(r"xl/worksheets/.*\.xml", one)]
        sheet = etree.fromstring(book.read(name))
    assert sheet.findall(".//s:f", MAIN) == [], "no formula"
    assert sheet.findall(".//s:hyperlink", MAIN) == [], "no link"
    return [[_cell(one) for one in row.iterfind("s:c", MAIN)] for row in sheet.iterfind(".//s:row", MAIN)]


def _cell(element: Any) -> str | Decimal:
    if element.get("t") == "inlineStr":
        return "".join(element.itertext())
    value = element.findtext("s:v", namespaces=MAIN)
    return "" if value is None else Decimal(value)
