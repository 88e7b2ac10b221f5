"""What the command line calls on a running platform: accounts of staff, and erasing a person."""

from __future__ import annotations

from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.schemas import staff_accounts as schemas
from shared.contracts.calls import identity
from shared.contracts.calls.contract import OPERATOR

audience = Audience("Accounts of staff", "Made by operators; and erasing a person on their written request.")


audience.forwards(
    "POST", "/v1/ops/staff-accounts", identity.CreateStaff, access=OPERATOR, answers=(201, schemas.StaffAccount)
)
audience.forwards(
    "POST",
    "/v1/ops/accounts/<number:account_id>/erase",
    identity.Erase,
    access=OPERATOR,
    operation="erase_account",
    summary="Erases a person on their written request: nobody can read their data any more.",
    answers=(200, schemas.Erased),
)
