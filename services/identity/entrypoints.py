"""The nameko service class of identity."""

from services.identity.bootstrap import build
from shared.hosting import HostedService


class IdentityService(HostedService):
    """Accounts, eligibility, identity checks, structures, sign-in, and all personal data."""

    name = "identity"
    build = staticmethod(build)
