"""The routes, one module per audience; each takes, makes one call and answers."""

from services.gateway.web.routes import (
    accounts,
    bookings,
    catalogue,
    desk,
    finance,
    me,
    ops,
    pro,
    staff,
    staff_accounts,
)

AUDIENCES = tuple(
    module.audience for module in (accounts, me, catalogue, bookings, pro, desk, staff, finance, ops, staff_accounts)
)
"""In the order in which the documents list them."""
