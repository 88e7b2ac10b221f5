"""The databases of the stores: their URLs, and on PostgreSQL their roles and schemas.

It imports nothing of the event store: commands that open no database start faster.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import sqlalchemy as sa

DRIVER = "postgresql+psycopg2"
POSTGRESQL_PORT = 5432


def postgresql_url(text: str) -> str:
    """The URL of a PostgreSQL database, with its driver. Raises ValueError, which says what is wrong."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise ValueError("not a database URL") from None
    if url.get_backend_name() != "postgresql":
        raise ValueError(f"not {DRIVER}://… (without the setting, SQLite files in STATE_DIR)")
    if not url.database:
        raise ValueError("the URL has no database name")
    return url.set(drivername=DRIVER).render_as_string(hide_password=False)


def database_name(url: str) -> str:
    return sa.make_url(url).database or ""


def with_login(url: str, username: str, password: str) -> str:
    """The same database for another role."""
    return sa.make_url(url).set(username=username, password=password).render_as_string(hide_password=False)


def without_password(text: str) -> str:
    """A URL as it may be shown; any other text as it is."""
    if "://" not in text or "@" not in text:
        return text
    try:
        return sa.make_url(text).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "(unreadable)"


def make_roles(admin: sa.Engine, urls: Mapping[str, str], keep_password: Container[str]) -> None:
    """Makes the role and the schema of each store, by name, whose URL leads to the admin's database.

    ``keep_password``: stores whose role keeps its password if it exists.
    """
    quote = admin.dialect.identifier_preparer.quote
    with admin.begin() as connection:
        database = quote(connection.execute(sa.text("SELECT current_database()")).scalar_one())
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('passculture.migrate'))"))
        connection.execute(sa.text("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
        for name, url in urls.items():
            login = sa.make_url(url)
            if not _is_role_of(admin.url, login):
                continue
            role = quote(str(login.username))
            query = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role")
            exists = connection.execute(query, {"role": login.username}).scalar()
            if not exists or name not in keep_password:
                statement = f"{'ALTER' if exists else 'CREATE'} ROLE {role} LOGIN PASSWORD %(password)s"
                connection.exec_driver_sql(statement, {"password": login.password})
            connection.exec_driver_sql(f"GRANT CONNECT ON DATABASE {database} TO {role}")
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {role}")


def make_schema(engine: sa.Engine, name: str) -> None:
    """For a store with a separate database. The schema may exist, created by a role with more rights."""
    with engine.begin() as connection:
        if not sa.inspect(connection).has_schema(name):
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")


def _is_role_of(admin: sa.URL, url: sa.URL) -> bool:
    """Whether a store lives in the admin's database under a role of its own."""
    places = {(place.host, place.port or POSTGRESQL_PORT, place.database) for place in (url, admin)}
    return len(places) == 1 and bool(url.username) and url.username != admin.username
