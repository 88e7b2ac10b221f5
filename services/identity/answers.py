"""The JSON of identity's answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.identity.domain.accounts import Account, open_window
from services.identity.domain.eligibility import Window, coming_window
from services.identity.domain.offerers import Offerer
from services.identity.domain.people import Profile, in_territory
from services.identity.sealing import KeyDestroyed, KeyRing
from shared.contracts.answers import json_of
from shared.kernel.time import instant_text


def me(account: Account, profile: Profile, now: datetime) -> dict[str, Any]:
    coming = coming_window(profile.birth_date, now) if in_territory(profile.postal_code) else None
    return {
        **person(profile),
        **json_of(profile, "birth_date"),
        "postalCode": profile.postal_code or None,
        "city": profile.city or None,
        "address": profile.address or None,
        "activity": profile.activity or None,
        "eligibility": _window(open_window(profile, now)),
        "nextEligibility": _window(coming),
        **standing(account, profile, now),
    }


def standing(account: Account, profile: Profile, now: datetime) -> dict[str, Any]:
    """How far the person has come. Outcomes are stored without end, so it has no personal data."""
    step = account.next_step(profile, now)
    return {
        "accountId": account.number,
        "roles": sorted(role.value for role in account.roles),
        "status": account.status,
        "nextStep": step.value if step else None,
        "version": account.version,
    }


def person(profile: Profile) -> dict[str, Any]:
    return json_of(profile, "first_name", "last_name", "email", "phone_number")


def decided_offerer(offerer: Offerer) -> dict[str, Any]:
    structure = json_of(offerer.structure, "siren", "name")
    return {"offererId": offerer.number, **structure, "status": offerer.status.value}


def offerer(row: Any) -> dict[str, Any]:
    """A row of ``offerers``."""
    return json_of(row, "offerer_id", "siren", "name", "address", "postal_code", "city", "status")


def pending_offerer(row: Any, applicant: dict[str, Any] | None) -> dict[str, Any]:
    """A row of ``offerers``; ``applicant`` is the account that registered it."""
    return {**offerer(row), **json_of(row, "registered_at"), "applicant": applicant}


def pending_attachment(row: Any, applicant: dict[str, Any] | None) -> dict[str, Any]:
    """A row of ``attachments`` with its structure's SIREN and name."""
    attachment = json_of(row, "attachment_id", "offerer_id", "siren", "name", "status", "requested_at")
    return {**attachment, "applicant": applicant}


def pending_check(row: Any, keys: KeyRing, applicant: dict[str, Any] | None) -> dict[str, Any]:
    """A row of ``identity_checks``; ``declared`` is null if the person has been erased."""
    try:
        declared = keys.open(row.account_id, row.sealed_declared)
    except KeyDestroyed:
        declared = None
    return {
        "identityCheckId": row.check_id,
        **json_of(row, "status", "items"),
        "declared": declared,
        **json_of(row, "checked_at"),
        "applicant": applicant,
    }


def api_key(row: Any) -> dict[str, Any]:
    """A row of ``api_keys``."""
    return json_of(row, "prefix", "created_at")


def _window(window: Window | None) -> dict[str, Any] | None:
    """``until`` is exclusive."""
    if window is None:
        return None
    return {"kind": window.kind.value, "from": instant_text(window.begins), "until": instant_text(window.ends)}
