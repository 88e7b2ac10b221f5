"""The 67 subcategories of offers of November 2021, their categories and the apps' search groups.

The data in ``subcategories.json`` are the answers of the real system. This module gives them types and checks at import
that they are complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

Reimbursement = Literal["STANDARD", "BOOK", "NOT_REIMBURSED"]
Platform = Literal["ONLINE", "OFFLINE", "ONLINE_OR_OFFLINE"]


@dataclass(frozen=True, slots=True)
class Subcategory:
    """One subcategory.

    ``label`` is what cultural actors read, ``app_label`` what young people read. ``is_digital_deposit`` and
    ``is_physical_deposit`` say which cap of a credit a booking counts towards (the digital one only if the offer has a
    url too). ``can_expire``: an undated booking expires. ``is_selectable``: an offer of it may be created today.
    ``search_group`` and ``home_group`` are keys of :data:`SEARCH_GROUPS` and :data:`HOME_LABELS`.
    ``extra_fields`` names further fields of an offer of the subcategory (author, visa, musicType, ...).
    """

    id: str
    category: str
    label: str
    app_label: str
    search_group: str
    home_group: str
    is_event: bool
    platform: Platform
    is_digital_deposit: bool
    is_physical_deposit: bool
    reimbursement: Reimbursement
    can_expire: bool
    can_be_duo: bool
    can_be_educational: bool
    is_selectable: bool
    extra_fields: tuple[str, ...]

    @property
    def is_online_only(self) -> bool:
        """Its offers have a url and belong to the structure's digital venue."""
        return self.platform == "ONLINE"

    @property
    def is_offline_only(self) -> bool:
        """Its offers happen in a place and have no url."""
        return self.platform == "OFFLINE"


@dataclass(frozen=True, slots=True)
class Category:
    """A family of subcategories, as cultural actors choose it."""

    id: str
    label: str
    is_selectable: bool


def _subcategory(row: dict[str, Any]) -> Subcategory:
    return Subcategory(
        id=row["id"],
        category=row["category_id"],
        label=row["pro_label"],
        app_label=row["app_label"],
        search_group=row["search_group_name"],
        home_group=row["homepage_label_name"],
        is_event=row["is_event"],
        platform=row["online_offline_platform"],
        is_digital_deposit=row["is_digital_deposit"],
        is_physical_deposit=row["is_physical_deposit"],
        reimbursement=row["reimbursement_rule"],
        can_expire=row["can_expire"],
        can_be_duo=row["can_be_duo"],
        can_be_educational=row["can_be_educational"],
        is_selectable=row["is_selectable"],
        extra_fields=tuple(row["conditional_fields"]),
    )


_FACTS: dict[str, Any] = json.loads(files(__package__).joinpath("subcategories.json").read_text("utf-8"))

SUBCATEGORIES: Mapping[str, Subcategory] = MappingProxyType(
    {row["id"]: _subcategory(row) for row in _FACTS["subcategories"]}
)
"""Every subcategory by its id, in the order of the source."""

CATEGORIES: Mapping[str, Category] = MappingProxyType(
    {row["id"]: Category(row["id"], row["pro_label"], row["is_selectable"]) for row in _FACTS["categories"]}
)
"""Every category by its id."""

SEARCH_GROUPS: Mapping[str, str | None] = MappingProxyType(dict(_FACTS["search_groups"]))
"""The apps' search groups and their labels; ``NONE`` has no label."""

HOME_LABELS: Mapping[str, str | None] = MappingProxyType(dict(_FACTS["homepage_labels"]))
"""The shorter labels of the same groups on the apps' home page."""

for _one in SUBCATEGORIES.values():
    if _one.category not in CATEGORIES or _one.search_group not in SEARCH_GROUPS or _one.home_group not in HOME_LABELS:
        raise ValueError(f"subcategory {_one.id} names a category or a group that does not exist")
