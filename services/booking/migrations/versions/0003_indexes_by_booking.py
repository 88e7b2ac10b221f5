"""Indexes by booking number, for what ends with a booking: its claim of an offer, its activation code."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("live_bookings_booking", "live_bookings", ["booking_id"], unique=True)
    op.create_index("activation_codes_booking", "activation_codes", ["booking_id"])
