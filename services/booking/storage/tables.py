"""Booking's tables.

``taken`` counts the places of open requests and live bookings: bookings are checked against it. ``booked`` counts live
bookings only: published places remaining are computed from it.
"""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore.sql import BigNumber, Instant, partial_index

metadata = sa.MetaData()

stocks = sa.Table(
    "stocks",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offer_id", BigNumber, nullable=False, index=True),
    sa.Column("venue_id", BigNumber, nullable=False, index=True),
    sa.Column("offerer_id", BigNumber, nullable=False),
    sa.Column("price", BigNumber, nullable=False),
    sa.Column("quantity", BigNumber),  # null: no limit
    sa.Column("taken", BigNumber, nullable=False),
    sa.Column("booked", BigNumber, nullable=False),
    sa.Column("beginning_at", Instant),
    sa.Column("booking_limit_at", Instant),
    sa.Column("with_codes", sa.Boolean, nullable=False),
    sa.Column("is_withdrawn", sa.Boolean, nullable=False),
    sa.Column("eve_due", Instant),  # the run of its reminders
    sa.CheckConstraint("0 <= booked AND booked <= taken AND (quantity IS NULL OR taken <= quantity)", name="places"),
    partial_index(
        "stocks_on_eve",
        "eve_due",
        where="eve_due IS NOT NULL",
    ),
)

activation_codes = sa.Table(
    "activation_codes",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("rank", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("booking_id", BigNumber),  # null: free
    sa.Index("activation_codes_booking", "booking_id"),
)

live_bookings = sa.Table(
    "live_bookings",
    metadata,
    sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("booking_id", BigNumber, nullable=False),
    sa.Index("live_bookings_booking", "booking_id", unique=True),
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
    sa.Column("expiry_due", Instant),  # the nightly run that cancels it
    sa.Column("validation_due", Instant),  # validated automatically strictly after this
    sa.Column("used_at", Instant),
    sa.Column("cancelled_at", Instant),
    sa.Column("cancellation_reason", sa.Text),
    sa.Column("batch_id", BigNumber),
    sa.Column("reimbursed_at", Instant),
    sa.Column("activation_code", sa.Text),
    sa.Column("warning_due", Instant),  # the run that warns of its expiry
    sa.Index("bookings_of_person", "person_id", "booking_id"),
    sa.Index("bookings_of_venue", "venue_id", "booked_at"),
    partial_index(
        "bookings_to_validate",
        "validation_due",
        where="validation_due IS NOT NULL",
    ),
    partial_index(
        "bookings_to_expire",
        "expiry_due",
        where="expiry_due IS NOT NULL",
    ),
    partial_index(
        "bookings_to_warn",
        "warning_due",
        where="warning_due IS NOT NULL",
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

shut_offerers = sa.Table(
    "shut_offerers",
    metadata,
    # structures whose offers cannot be booked: not validated yet, rejected or closed
    sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
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
    sa.Index("attachments_of_offerer", "offerer_id"),
)

mail_progress = sa.Table(
    "mail_progress",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("position", BigNumber, nullable=False),  # in booking's own log: mails up to here are written
)
