"""Booking's first tables.

A released migration is frozen: its tables are defined here, independent of ``storage``.
"""

import sqlalchemy as sa
from alembic import op

from shared import notifications
from shared.eventstore.migrations import create_v1
from shared.eventstore.sql import BigNumber, Instant

revision = "0001"
down_revision = None

metadata = sa.MetaData()

stocks = sa.Table(
    "stocks",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offer_id", BigNumber, nullable=False, index=True),
    sa.Column("venue_id", BigNumber, nullable=False, index=True),
    sa.Column("offerer_id", BigNumber, nullable=False),
    sa.Column("price", BigNumber, nullable=False),
    sa.Column("quantity", BigNumber),  # null: without limit
    sa.Column("taken", BigNumber, nullable=False),
    sa.Column("booked", BigNumber, nullable=False),
    sa.Column("beginning_at", Instant),
    sa.Column("booking_limit_at", Instant),
    sa.Column("with_codes", sa.Boolean, nullable=False),
    sa.Column("is_withdrawn", sa.Boolean, nullable=False),
    sa.CheckConstraint("0 <= booked AND booked <= taken AND (quantity IS NULL OR taken <= quantity)", name="places"),
)

activation_codes = sa.Table(
    "activation_codes",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("rank", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("booking_id", BigNumber),  # null: not given yet
)

live_bookings = sa.Table(
    "live_bookings",
    metadata,
    sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("booking_id", BigNumber, nullable=False),
)

countermarks = sa.Table(
    "countermarks",
    metadata,
    sa.Column("countermark", sa.Text, primary_key=True),
    sa.Column("booking_id", BigNumber, nullable=False),
)

open_requests = sa.Table(
    "open_requests",
    metadata,
    sa.Column("booking_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Index("open_requests_keys", "key", "owner", unique=True),
)

bookings = sa.Table(
    "bookings",
    metadata,
    sa.Column("booking_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("person_id", BigNumber, nullable=False),
    sa.Column("stock_id", BigNumber, nullable=False, index=True),
    sa.Column("offer_id", BigNumber, nullable=False, index=True),
    sa.Column("venue_id", BigNumber, nullable=False),
    sa.Column("offerer_id", BigNumber, nullable=False),
    sa.Column("establishment", sa.Text, nullable=False),
    sa.Column("subcategory", sa.Text, nullable=False),
    sa.Column("offer_name", sa.Text, nullable=False),
    sa.Column("is_digital", sa.Boolean, nullable=False),
    sa.Column("is_permanent", sa.Boolean, nullable=False),
    sa.Column("quantity", BigNumber, nullable=False),
    sa.Column("unit_price", BigNumber, nullable=False),
    sa.Column("countermark", sa.Text, nullable=False, unique=True),
    sa.Column("attempt", BigNumber, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("booked_at", Instant, nullable=False),
    sa.Column("beginning_at", Instant),
    sa.Column("cancellation_limit_at", Instant),
    sa.Column("expires_at", Instant),
    sa.Column("expiry_due", Instant),  # the nightly run that takes it
    sa.Column("validation_due", Instant),  # strictly after this it is validated by itself
    sa.Column("used_at", Instant),
    sa.Column("cancelled_at", Instant),
    sa.Column("cancellation_reason", sa.Text),
    sa.Column("batch_id", BigNumber),
    sa.Column("reimbursed_at", Instant),
    sa.Column("activation_code", sa.Text),
    sa.Index("bookings_of_person", "person_id", "booking_id"),
    sa.Index("bookings_of_venue", "venue_id", "booked_at"),
    sa.Index(
        "bookings_to_validate",
        "validation_due",
        postgresql_where=sa.text("validation_due IS NOT NULL"),
        sqlite_where=sa.text("validation_due IS NOT NULL"),
    ),
    sa.Index(
        "bookings_to_expire",
        "expiry_due",
        postgresql_where=sa.text("expiry_due IS NOT NULL"),
        sqlite_where=sa.text("expiry_due IS NOT NULL"),
    ),
)

offers = sa.Table(
    "offers",
    metadata,
    sa.Column("offer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("venue_id", BigNumber, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("subcategory", sa.Text, nullable=False),
    sa.Column("is_duo", sa.Boolean, nullable=False),
    sa.Column("is_digital", sa.Boolean, nullable=False),
    sa.Column("url", sa.Text),
    sa.Column("withdrawal_details", sa.Text),
    sa.Column("booking_email", sa.Text),
    sa.Column("is_published", sa.Boolean, nullable=False),
)

venues = sa.Table(
    "venues",
    metadata,
    sa.Column("venue_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offerer_id", BigNumber, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("establishment", sa.Text, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("postal_code", sa.Text),
    sa.Column("city", sa.Text),
    sa.Column("department_code", sa.Text),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("booking_email", sa.Text),
)

persons = sa.Table(
    "persons",
    metadata,
    sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("is_beneficiary", sa.Boolean, nullable=False),
    sa.Column("is_suspended", sa.Boolean, nullable=False),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
)

mail_progress = sa.Table(
    "mail_progress",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("position", BigNumber, nullable=False),  # of this service's own log: mails up to here are written
)


def upgrade() -> None:
    create_v1(op)
    notifications.create_v1(op)
    metadata.create_all(op.get_bind())
    op.get_bind().execute(mail_progress.insert().values(id=1, position=0))
