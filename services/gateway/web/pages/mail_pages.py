"""The two pages that links in mails lead to: confirm an address, choose a password. French, without scripts.

GET changes nothing: mail filters follow links before people do.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.resources import files

from flask import Blueprint, Response, request

from services.gateway.web.endpoints.calls import send
from services.gateway.web.requests.security import address
from services.gateway.web.responses.problems import refusal_headers
from services.gateway.web.routes.accounts import limited
from shared.contracts.calls import identity
from shared.contracts.calls.contract import Command
from shared.kernel.errors import DomainError

POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
FORM = "application/x-www-form-urlencoded"
_PAGE = files("services.gateway.web.pages").joinpath("mail.html").read_text("utf-8")

GOOD_PASSWORD = "Au moins 12 caractères : une majuscule, une minuscule, un chiffre et un autre signe."
REFUSALS = {
    "link-invalid": "Ce lien est incomplet ou a déjà servi : demandez-en un autre.",
    "token-expired": "Ce lien a plus de 24 heures : demandez-en un autre.",
    "account-suspended": "Votre compte est suspendu : contactez l’équipe du pass Culture.",
    "password-weak": GOOD_PASSWORD,
    "too-many-requests": "Trop d’essais : recommencez dans une minute.",
    "invalid": "Le formulaire est incomplet : rouvrez le lien du mail que vous avez reçu.",
}
"""The refusals that a person can act on, by code."""
UNAVAILABLE = "Le service ne répond pas : recommencez dans un instant."

CONFIRM = "Confirmer votre adresse"
CONFIRMED = "<p>Votre adresse e-mail est confirmée. Vous pouvez vous connecter.</p>"
PASSWORD = "Choisir un mot de passe"
CHANGED = "<p>Votre mot de passe est changé et toutes les connexions sont fermées. Vous pouvez vous connecter.</p>"


def mail_pages() -> Blueprint:
    """``/confirmer`` and ``/mot-de-passe``, each with ``?token=``."""
    blueprint = Blueprint("mail-pages", __name__)

    @blueprint.get("/confirmer")
    def confirm_form() -> Response:
        return html_page(CONFIRM, _confirm_form(request.args.get("token", "")))

    @blueprint.post("/confirmer")
    def confirm() -> Response:
        return _submitted(CONFIRM, identity.ConfirmEmail, CONFIRMED, _confirm_form)

    @blueprint.get("/mot-de-passe")
    def password_form() -> Response:
        return html_page(PASSWORD, _password_form(request.args.get("token", "")))

    @blueprint.post("/mot-de-passe")
    def password() -> Response:
        return _submitted(PASSWORD, identity.ResetPassword, CHANGED, _password_form)

    return blueprint


def _submitted(title: str, contract: type[Command], done: str, form: Callable[[str, str], str]) -> Response:
    """Sends the form to identity, like the API's route. A refusal is shown above the form."""
    try:
        command = contract.read(dict(request.form) if request.mimetype == FORM else {})
        with limited(address()):
            send(command)
    except DomainError as refusal:
        message = REFUSALS.get(refusal.code, UNAVAILABLE)
        response = html_page(title, form(request.form.get("token", ""), message), refusal.status)
        response.headers.update(refusal_headers(refusal))
        return response
    return html_page(title, done)


def _confirm_form(token: str, refusal: str = "") -> str:
    return f"""{_alert(refusal)}
<form method="post" action="/confirmer">
<input type="hidden" name="token" value="{escape(token)}">
<p>Un clic encore, et votre adresse e-mail est confirmée.</p>
<p><button type="submit">Confirmer mon adresse</button></p>
</form>"""


def _password_form(token: str, refusal: str = "") -> str:
    return f"""{_alert(refusal)}
<form method="post" action="/mot-de-passe">
<input type="hidden" name="token" value="{escape(token)}">
<p><label for="password">Nouveau mot de passe</label></p>
<p><input id="password" name="password" type="password" required minlength="12" maxlength="200"
autocomplete="new-password" aria-describedby="rule"></p>
<p id="rule">{GOOD_PASSWORD}</p>
<p><button type="submit">Changer mon mot de passe</button></p>
</form>"""


def _alert(refusal: str) -> str:
    return f'<p role="alert"><strong>{escape(refusal)}</strong></p>' if refusal else ""


def html_page(title: str, body: str, status: int = 200) -> Response:
    """A page of this text, in French; ``body`` is HTML."""
    page = _PAGE.replace("{title}", escape(title)).replace("{body}", body)
    response = Response(page, status=status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response
