from pathlib import Path

import pytest

from tests.unit.payout.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """One structure with one venue, paid on an accepted account."""
    made = Stage(tmp_path)
    made.set_up()
    return made
