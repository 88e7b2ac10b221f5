"""A random process is killed (SIGKILL) every second, and an orchestrator restarts it."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack

from shared.runtime.settings import SERVICES
from tests.chaos.conftest import SEED
from tests.chaos.figures import Figures
from tests.chaos.fleet import Fleet, seconds_until
from tests.chaos.journal import Journal, audit, backlog, opened_stores
from tests.chaos.load import Dataset, Load
from tests.chaos.scale import Scale

EVERY_SECONDS = 1.0


def test_killed_processes_lose_and_duplicate_nothing(
    platform: Fleet, dataset: Dataset, load: Load, journal: Journal, scale: Scale, figures: Figures
) -> None:
    load.forget_dataset_state()
    begun, deaths = time.monotonic(), platform.deaths.copy()
    with platform.killing_at_random(random.Random(SEED), EVERY_SECONDS):
        seen = load.run(lambda seen: seen.done.total() >= scale.acknowledged and platform.kills.total() >= scale.kills)
    took = time.monotonic() - begun
    with opened_stores(platform) as stores:
        drained = seconds_until(lambda: not backlog(stores), lambda: backlog(stores))
        assert seen.unexpected == []
        assert audit(stores, journal.entries(), dataset.quantities) == []
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


def test_two_processes_per_service_lose_and_duplicate_nothing(
    platform: Fleet, dataset: Dataset, load: Load, journal: Journal, scale: Scale, figures: Figures
) -> None:
    """One of the two is killed again and again, so that their sagas, timers and relays overlap."""
    load.forget_dataset_state()
    with ExitStack() as beside:
        for service in ("booking", "wallet", "payout"):
            beside.enter_context(platform.beside(service))
        with platform.killing_at_random(random.Random(SEED + 1), EVERY_SECONDS):
            seen = load.run(lambda seen: seen.done.total() >= scale.acknowledged // 5)
        with opened_stores(platform) as stores:
            seconds_until(lambda: not backlog(stores), lambda: backlog(stores))
            assert seen.unexpected == []
            assert audit(stores, journal.entries(), dataset.quantities) == []
    assert platform.command("reconcile").returncode == 0
    figures.note(
        "Processes killed",
        f"{seen.done.total()} acknowledged while one of two processes of booking, wallet and payout, or another "
        f"service, was killed every second",
    )
