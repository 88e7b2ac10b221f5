"""Before anything else is imported: sockets, locks and psycopg2 become green, as in every process of the platform."""

from shared import green

green.monkey_patch()

import gc  # noqa: E402  # the patch comes first

import hypothesis  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported stays until the end: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
