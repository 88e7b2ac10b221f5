"""Which use case handles which call of identity."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from services.identity.application.api_keys import create_api_key, delete_api_key
from services.identity.application.attachments import approve_attachment, reject_attachment
from services.identity.application.changing_email import change_email
from services.identity.application.completing_profile import complete_profile
from services.identity.application.confirming_email import confirm_email
from services.identity.application.erasing import erase
from services.identity.application.identity_checks import check_identity, review_identity_check
from services.identity.application.offerers import close_offerer, reject_offerer, validate_offerer
from services.identity.application.passwords import change_password, request_password_reset, reset_password
from services.identity.application.phone_codes import confirm_phone_code, send_phone_code
from services.identity.application.reading import Reading
from services.identity.application.sessions import refresh, sign_in, sign_out
from services.identity.application.signing_up import open_account, open_pro_account
from services.identity.application.staff_accounts import create_staff
from services.identity.application.suspending import suspend_account, suspend_me, unsuspend_account
from services.identity.application.unit_of_work import Ports, UnitOfWork
from shared.contracts.calls import identity as calls
from shared.contracts.calls.contract import Command
from shared.eventstore.outcomes import Call, Outcome
from shared.messaging.calls import CommandHandler, QueryHandler, each, one, read, read_many

C = TypeVar("C", bound=Command)


def commands(ports: Ports) -> list[CommandHandler]:
    def in_transaction(contract: type[C], use_case: Callable[[UnitOfWork, Call[C]], dict[str, Any]]) -> CommandHandler:
        """The use case runs in one transaction, which stores its outcome under the call's key."""
        return one(contract, lambda tx, call: use_case(UnitOfWork(ports, tx), call))

    def own_transactions(contract: type[C], use_case: Callable[[Ports, Call[C]], Outcome]) -> CommandHandler:
        """The use case opens its own transactions. No outcome is stored (some hold secrets), except by ``erase``."""
        return each(contract, partial(use_case, ports))

    return [
        own_transactions(calls.OpenAccount, open_account),
        own_transactions(calls.OpenProAccount, open_pro_account),
        own_transactions(calls.CreateStaff, create_staff),
        own_transactions(calls.ConfirmEmail, confirm_email),
        own_transactions(calls.SignIn, sign_in),
        own_transactions(calls.Refresh, refresh),
        in_transaction(calls.SignOut, sign_out),
        own_transactions(calls.RequestPasswordReset, request_password_reset),
        own_transactions(calls.ResetPassword, reset_password),
        own_transactions(calls.ChangePassword, change_password),
        own_transactions(calls.ChangeEmail, change_email),
        in_transaction(calls.SendPhoneCode, send_phone_code),
        own_transactions(calls.ConfirmPhoneCode, confirm_phone_code),
        own_transactions(calls.CheckIdentity, check_identity),
        in_transaction(calls.ReviewIdentityCheck, review_identity_check),
        in_transaction(calls.CompleteProfile, complete_profile),
        in_transaction(calls.SuspendAccount, suspend_account),
        in_transaction(calls.UnsuspendAccount, unsuspend_account),
        in_transaction(calls.SuspendMe, suspend_me),
        own_transactions(calls.Erase, erase),
        in_transaction(calls.ValidateOfferer, validate_offerer),
        in_transaction(calls.RejectOfferer, reject_offerer),
        in_transaction(calls.CloseOfferer, close_offerer),
        in_transaction(calls.ApproveAttachment, approve_attachment),
        in_transaction(calls.RejectAttachment, reject_attachment),
        own_transactions(calls.CreateApiKey, create_api_key),
        in_transaction(calls.DeleteApiKey, delete_api_key),
    ]


def queries(reading: Reading) -> list[QueryHandler]:
    return [
        read(calls.Me, reading.me),
        read_many(calls.People, reading.people),
        read(calls.Offerers, reading.offerers),
        read(calls.Offerer, reading.offerer),
        read(calls.PendingList, reading.pending),
        read_many(calls.ApiKey, reading.api_key),
        read(calls.ApiKeys, reading.api_keys),
    ]
