"""The states of a booking, and why and how they change."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    REQUESTED = "requested"
    REJECTED = "rejected"
    CONFIRMED = "confirmed"
    USED = "used"
    CANCELLED = "cancelled"
    REIMBURSED = "reimbursed"


class Reason(StrEnum):
    """Why a booking was cancelled (domain.md §4.1)."""

    BENEFICIARY = "BENEFICIARY"
    OFFERER = "OFFERER"
    EXPIRED = "EXPIRED"
    FRAUD = "FRAUD"
    BACKOFFICE = "BACKOFFICE"


class Means(StrEnum):
    """How a countermark was validated."""

    DESK = "desk"
    API = "api"
    AUTOMATIC = "automatic"
    ACTIVATION_CODE = "activation-code"
    RESTORED = "restored"
