"""Monkey-patches sockets, locks and psycopg2 before other imports, as every process of the platform does."""

from shared import green

green.monkey_patch()

import gc  # noqa: E402  # after the patch

import hypothesis  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Freezes all imported objects, so that the garbage collector does not scan them again."""
    gc.collect()
    gc.freeze()
