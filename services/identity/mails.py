"""What identity writes to people, in French. A link ends in ``?token=…``."""

from __future__ import annotations

from services.identity.domain.accounts import Structure
from services.identity.domain.eligibility import Kind
from services.identity.domain.people import Profile
from shared.notifications import Mail, TextMessage

SIGNATURE = "\n\nL’équipe du pass Culture\n"


class Letters:
    """``site`` is the address that links begin with, without a slash at its end."""

    def __init__(self, site: str) -> None:
        self._site = site

    def confirm_email(self, profile: Profile, token: str) -> Mail:
        link = f"{self._site}/confirmer?token={token}"
        return self._mail(
            profile,
            "Confirmez votre adresse e-mail",
            f"pour activer le compte, confirmez cette adresse dans les 24 heures :\n\n{link}",
        )

    def already_known(self, profile: Profile, token: str) -> Mail:
        """Somebody signed up again with an address that has an account: only its owner is told."""
        return self._mail(
            profile,
            "Vous avez déjà un compte",
            "quelqu’un vient de s’inscrire avec votre adresse, qui a déjà un compte. Si c’était vous, connectez-vous ; "
            f"un mot de passe oublié se change dans les 24 heures ici :\n\n{self._site}/mot-de-passe?token={token}"
            "\n\nSinon, vous n’avez rien à faire.",
        )

    def reset_password(self, profile: Profile, token: str) -> Mail:
        link = f"{self._site}/mot-de-passe?token={token}"
        return self._mail(
            profile, "Changer votre mot de passe", f"choisissez un nouveau mot de passe dans les 24 heures :\n\n{link}"
        )

    def password_changed(self, profile: Profile) -> Mail:
        return self._mail(
            profile,
            "Votre mot de passe a changé",
            "le mot de passe de votre compte vient d’être changé et toutes les connexions ont été fermées. "
            "Si ce n’était pas vous, changez-le sans attendre.",
        )

    def change_email(self, profile: Profile, token: str) -> Mail:
        """To the new address, which ``profile`` holds."""
        link = f"{self._site}/confirmer?token={token}"
        return self._mail(
            profile, "Confirmez votre nouvelle adresse", f"cliquez ici dans les 24 heures pour l’adopter :\n\n{link}"
        )

    def identity_reviewed(self, profile: Profile, *, accepted: bool) -> Mail:
        said = (
            "votre pièce d’identité a été acceptée. Il reste à compléter votre profil."
            if accepted
            else "votre pièce d’identité n’a pas pu être acceptée. Vous pouvez en présenter une autre."
        )
        return self._mail(profile, "Vérification de votre identité", said)

    def activated(self, profile: Profile, kind: Kind) -> Mail:
        until = "pendant deux ans" if kind is Kind.AGE_18 else "jusqu’à la veille de vos 18 ans"
        return self._mail(
            profile, "Votre crédit est arrivé", f"votre pass Culture est activé : votre crédit vous attend {until}."
        )

    def structure_validated(self, profile: Profile, structure: Structure) -> Mail:
        return self._mail(
            profile,
            f"{structure.name} est validée",
            f"{structure.name} (SIREN {structure.siren}) est validée : vos offres peuvent être réservées.",
        )

    def structure_refused(self, profile: Profile, structure: Structure, reason: str) -> Mail:
        why = f"\n\nMotif : {reason}" if reason else ""
        return self._mail(
            profile,
            f"{structure.name} n’est pas admise",
            f"votre structure {structure.name} (SIREN {structure.siren}) n’est pas, ou n’est plus, admise.{why}",
        )

    def attachment_decided(self, profile: Profile, structure: Structure, *, approved: bool) -> Mail:
        said = "Vous en partagez désormais les lieux, les offres et le suivi." if approved else "Elle a été refusée."
        return self._mail(
            profile,
            f"Votre rattachement à {structure.name}",
            f"votre demande de rattachement à {structure.name} a été examinée. {said}",
        )

    @staticmethod
    def code(number: str, code: str) -> TextMessage:
        return TextMessage(number, f"{code} est votre code de confirmation pass Culture. Il est valable dix minutes.")

    @staticmethod
    def _mail(profile: Profile, subject: str, said: str) -> Mail:
        # one line, whatever a name holds: a subject or a greeting must not become a header
        greeting = f"Bonjour {' '.join(profile.first_name.split())}," if profile.first_name else "Bonjour,"
        return Mail(profile.email, subject, f"{greeting}\n\n{said}{SIGNATURE}")
