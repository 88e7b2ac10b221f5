"""Reads the cells of a spreadsheet file with one sheet."""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal
from typing import Any

from lxml import etree

MAIN = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def cells(raw: bytes) -> list[list[str | Decimal]]:
    """Row by row: text as str, numbers as Decimal. Asserts that there are no formulas and no links."""
    with zipfile.ZipFile(io.BytesIO(raw)) as book:
        assert book.testzip() is None
        (name,) = [one for one in book.namelist() if re.fullmatch(r"xl/worksheets/.*\.xml", one)]
        sheet = etree.fromstring(book.read(name))
    assert sheet.findall(".//s:f", MAIN) == [], "formulas in the sheet"
    assert sheet.findall(".//s:hyperlink", MAIN) == [], "links in the sheet"
    return [[_cell(one) for one in row.iterfind("s:c", MAIN)] for row in sheet.iterfind(".//s:row", MAIN)]


def _cell(element: Any) -> str | Decimal:
    if element.get("t") == "inlineStr":
        return "".join(element.itertext())
    value = element.findtext("s:v", namespaces=MAIN)
    return "" if value is None else Decimal(value)
