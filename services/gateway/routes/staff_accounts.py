"""What the command line asks beside a running platform: accounts of staff, and erasing a person."""

from __future__ import annotations

from typing import Any

from services.gateway.schemas import staff_accounts as schemas
from services.gateway.web.audience import Audience
from services.gateway.web.calls import send
from shared.contracts.calls.contract import OPERATOR

audience = Audience("Accounts of staff", "Made by operators; and erasing a person on their written request.")


@audience.endpoint(
    "POST",
    "/v1/ops/staff-accounts",
    access=OPERATOR,
    body=schemas.NewStaff,
    answers=(201, schemas.StaffAccount),
    refuses=["email-taken", "password-weak"],
)
def create_staff(body: dict[str, Any]) -> Any:
    """Makes an account of staff, finance or operators, which may sign in at once."""
    return send("identity", "create-staff", body)


@audience.endpoint("POST", "/v1/ops/accounts/<number:account_id>/erase", access=OPERATOR, answers=(200, schemas.Erased))
def erase_account(account_id: int) -> Any:
    """Erases a person on their written request: nobody can read their data any more."""
    return send("identity", "erase", {"accountId": account_id}) or {}
