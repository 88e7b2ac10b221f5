"""Which use case handles which call of identity."""

from __future__ import annotations

from services.identity.application.journey import Journey
from services.identity.application.ports import Ports, unstored
from services.identity.application.questions import Questions
from services.identity.application.sessions import Failures, Sessions
from services.identity.application.signing_up import SigningUp
from services.identity.application.standing import Standing
from services.identity.application.structures import Structures
from shared.contracts.calls import identity as calls
from shared.messaging.calls import CommandHandler, QueryHandler, one, read, read_many, saga


def commands(ports: Ports, failures: Failures, standing: Standing) -> list[CommandHandler]:
    signing_up, sessions = SigningUp(ports, failures), Sessions(ports, failures)
    journey, structures = Journey(ports, failures), Structures(ports)
    return [
        unstored(calls.OpenAccount, signing_up.open_account),
        unstored(calls.OpenProAccount, signing_up.open_pro_account),
        unstored(calls.CreateStaff, signing_up.create_staff),
        unstored(calls.ConfirmEmail, signing_up.confirm_email),
        unstored(calls.SignIn, sessions.sign_in),
        unstored(calls.Refresh, sessions.refresh),
        unstored(calls.SignOut, sessions.sign_out),
        unstored(calls.RequestPasswordReset, sessions.request_password_reset),
        unstored(calls.ResetPassword, sessions.reset_password),
        unstored(calls.ChangePassword, sessions.change_password),
        unstored(calls.ChangeEmail, sessions.change_email),
        one(calls.SendPhoneCode, journey.send_phone_code),
        unstored(calls.ConfirmPhoneCode, journey.confirm_phone_code),
        unstored(calls.CheckIdentity, journey.check_identity),
        one(calls.ReviewIdentityCheck, journey.review_identity_check),
        one(calls.CompleteProfile, journey.complete_profile),
        one(calls.SuspendAccount, standing.suspend_account),
        one(calls.UnsuspendAccount, standing.unsuspend_account),
        one(calls.SuspendMe, standing.suspend_me),
        saga(calls.Erase, standing.erase),
        one(calls.ValidateOfferer, structures.validate_offerer),
        one(calls.RejectOfferer, structures.reject_offerer),
        one(calls.CloseOfferer, structures.close_offerer),
        one(calls.ApproveAttachment, structures.approve_attachment),
        one(calls.RejectAttachment, structures.reject_attachment),
        unstored(calls.CreateApiKey, structures.create_api_key),
        one(calls.DeleteApiKey, structures.delete_api_key),
    ]


def queries(questions: Questions) -> list[QueryHandler]:
    return [
        read(calls.Me, questions.me),
        read_many(calls.People, questions.people),
        read(calls.Offerers, questions.offerers),
        read(calls.Offerer, questions.offerer),
        read(calls.PendingList, questions.pending),
        read_many(calls.ApiKey, questions.api_key),
        read(calls.ApiKeys, questions.api_keys),
    ]
