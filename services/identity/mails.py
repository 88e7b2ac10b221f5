"""The mails and text messages of identity, in French. A link ends in ``?token=…``."""

from __future__ import annotations

from services.identity.domain.accounts import Structure
from services.identity.domain.eligibility import Kind
from services.identity.domain.people import Profile
from shared.kernel.french import no_break
from shared.notifications import Mail, TextMessage

SIGNATURE = "\n\nL’équipe du pass Culture\n"


class Mails:
    """``site``: the address that links begin with, without a slash at its end."""

    def __init__(self, site: str) -> None:
        self._site = site

    def confirm_email(self, profile: Profile, token: str) -> Mail:
        return self._mail(
            profile,
            "Confirmez votre adresse e-mail",
            "Pour activer votre compte, confirmez votre adresse e-mail dans les 24 heures :"
            f"\n\n{self._site}/confirmer?token={token}"
            "\n\nSi vous n’avez pas demandé de compte, vous n’avez rien à faire.",
        )

    def already_known(self, profile: Profile, token: str) -> Mail:
        """For the owner of an account whose address was used in a new sign-up."""
        return self._mail(
            profile,
            "Vous avez déjà un compte",
            "Quelqu’un vient de s’inscrire avec votre adresse e-mail, qui a déjà un compte. Si c’était vous, "
            "connectez-vous. Si vous avez oublié votre mot de passe, changez-le ici dans les 24 heures :"
            f"\n\n{self._site}/mot-de-passe?token={token}"
            "\n\nSi ce n’était pas vous, vous n’avez rien à faire.",
        )

    def reset_password(self, profile: Profile, token: str) -> Mail:
        return self._mail(
            profile,
            "Changez votre mot de passe",
            f"Choisissez un nouveau mot de passe dans les 24 heures :\n\n{self._site}/mot-de-passe?token={token}"
            "\n\nSi vous n’avez rien demandé, votre mot de passe reste le même et vous n’avez rien à faire.",
        )

    def password_changed(self, profile: Profile) -> Mail:
        return self._mail(
            profile,
            "Votre mot de passe a changé",
            "Le mot de passe de votre compte vient d’être changé et toutes vos connexions ont été fermées. "
            "Si ce n’était pas vous, changez-le sans attendre : demandez un nouveau mot de passe avec votre adresse "
            "e-mail.",
        )

    def change_email(self, profile: Profile, token: str) -> Mail:
        """To the new address, which ``profile`` holds."""
        return self._mail(
            profile,
            "Confirmez votre nouvelle adresse",
            "Confirmez dans les 24 heures que cette adresse est désormais la vôtre :"
            f"\n\n{self._site}/confirmer?token={token}"
            "\n\nSi vous n’avez rien demandé, vous n’avez rien à faire.",
        )

    def identity_reviewed(self, profile: Profile, *, accepted: bool) -> Mail:
        outcome = (
            "Votre pièce d’identité a été acceptée. Il vous reste à compléter votre profil pour recevoir votre crédit."
            if accepted
            else "Votre pièce d’identité n’a pas pu être acceptée. Vous pouvez en présenter une autre."
        )
        return self._mail(profile, "Vérification de votre identité", outcome)

    def activated(self, profile: Profile, kind: Kind) -> Mail:
        until = "pendant deux ans" if kind is Kind.AGE_18 else "jusqu’à la veille de vos 18 ans"
        return self._mail(
            profile,
            "Votre crédit est arrivé",
            f"Votre pass Culture est activé : vous pouvez dépenser votre crédit {until}.",
        )

    def structure_validated(self, profile: Profile, structure: Structure) -> Mail:
        return self._mail(
            profile,
            f"{structure.name} est validée",
            f"Votre structure {structure.name} (SIREN {structure.siren}) est validée : vos offres peuvent être "
            "réservées.",
        )

    def structure_refused(self, profile: Profile, structure: Structure, reason: str) -> Mail:
        why = f"\n\nMotif : {reason}" if reason else ""
        return self._mail(
            profile,
            f"{structure.name} n’est pas admise",
            f"Votre structure {structure.name} (SIREN {structure.siren}) n’est pas ou n’est plus admise : vos offres "
            f"ne peuvent pas être réservées.{why}",
        )

    def attachment_decided(self, profile: Profile, structure: Structure, *, approved: bool) -> Mail:
        outcome = (
            "acceptée. Vous partagez désormais ses lieux, ses offres et le suivi de ses réservations."
            if approved
            else "refusée. Adressez-vous aux personnes de la structure si vous pensez que c’est une erreur."
        )
        return self._mail(
            profile,
            f"Votre rattachement à {structure.name}",
            f"Votre demande de rattachement à {structure.name} a été {outcome}",
        )

    @staticmethod
    def code(number: str, code: str) -> TextMessage:
        return TextMessage(number, f"{code} est votre code de confirmation pass Culture. Il est valable dix minutes.")

    @staticmethod
    def _mail(profile: Profile, subject: str, text: str) -> Mail:
        # A name with a line break must not start a new header.
        greeting = f"Bonjour {' '.join(profile.first_name.split())}," if profile.first_name else "Bonjour,"
        return Mail(profile.email, no_break(subject), no_break(f"{greeting}\n\n{text}{SIGNATURE}"))
