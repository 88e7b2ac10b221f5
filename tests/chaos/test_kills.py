"""SIGKILL of a random process every second, and an orchestrator that starts it again."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack

from shared.runtime.settings import SERVICES
from tests.chaos.conftest import SEED
from tests.chaos.figures import Figures
from tests.chaos.fleet import Fleet, waited_for
from tests.chaos.journal import Journal, audit, backlog, opened
from tests.chaos.load import Load, Town
from tests.chaos.scale import Scale

EVERY_SECONDS = 1.0


def test_a_process_killed_every_second_loses_and_doubles_nothing(
    platform: Fleet, town: Town, load: Load, journal: Journal, scale: Scale, figures: Figures
) -> None:
    load.afresh()
    begun, deaths = time.monotonic(), platform.deaths.copy()
    with platform.hunted(random.Random(SEED), EVERY_SECONDS):
        seen = load.run(lambda seen: seen.done.total() >= scale.acknowledged and platform.kills.total() >= scale.kills)
    took = time.monotonic() - begun
    with opened(platform) as books:
        drained = waited_for(lambda: not backlog(books), lambda: backlog(books))
        assert seen.strange == []
        assert audit(books, journal.entries(), town.quantities) == []
    assert platform.deaths == deaths, "processes that nobody killed"
    assert platform.command("reconcile").returncode == 0
    assert platform.command("verify").returncode == 0
    figures.note(
        "Processes killed",
        f"{seen.done.total()} acknowledged ({seen.done['book']} bookings, {seen.done['cancel']} cancellations, "
        f"{seen.done['use']} validations; {seen.refused.total()} refusals beside them) in {took:.0f} s",
    )
    figures.note(
        "Processes killed",
        f"{platform.kills.total()} kills ({', '.join(f'{name} {platform.kills[name]}' for name in SERVICES)}), "
        f"{seen.later.total()} answers that said to ask again; everything drained {drained:.1f} s after the last kill",
    )


def test_two_processes_of_a_service_side_by_side_lose_and_double_nothing(
    platform: Fleet, town: Town, load: Load, journal: Journal, scale: Scale, figures: Figures
) -> None:
    """One of the two is killed again and again: their sagas, timers and relays meet."""
    load.afresh()
    with ExitStack() as beside:
        for service in ("booking", "wallet", "payout"):
            beside.enter_context(platform.beside(service))
        with platform.hunted(random.Random(SEED + 1), EVERY_SECONDS):
            seen = load.run(lambda seen: seen.done.total() >= scale.acknowledged // 5)
        with opened(platform) as books:
            waited_for(lambda: not backlog(books), lambda: backlog(books))
            assert seen.strange == []
            assert audit(books, journal.entries(), town.quantities) == []
    assert platform.command("reconcile").returncode == 0
    figures.note(
        "Processes killed",
        f"{seen.done.total()} acknowledged while one of two processes of booking, wallet and payout, or another "
        f"service, was killed every second",
    )
