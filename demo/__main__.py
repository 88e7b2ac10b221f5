"""``python -m demo``: plays the founding document's story on a separate platform and keeps the files that it produces.

Exits with 1 if an amount differs from the expected one or if the reconciliation finds a difference.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from demo.client import Client, Mailbox, Refusal
from demo.narration import Narrator, euros
from demo.platform import NotStarted, Platform, running
from demo.scenario import Scenario
from demo.story import STARTS_AT, play

OUTPUT = Path("demo-output")


def main() -> int:
    narrator = Narrator()
    folder = OUTPUT.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    try:
        with running(folder, STARTS_AT) as platform:
            narrator.say(f"La plateforme répond sur {platform.base_url}, son horloge est simulée.")
            _play(narrator, platform, folder)
            balanced = _reconcile(narrator, platform)
    except (NotStarted, Refusal, AssertionError, TimeoutError) as failure:
        narrator.console.print(f"\nLa démonstration s'arrête : {failure}", style="red", markup=False)
        narrator.console.print(f"Journal de la plateforme : {folder / 'platform.log'}", markup=False)
        return 1
    except KeyboardInterrupt:
        narrator.say("La démonstration est interrompue.")
        return 130
    _list_files(narrator, folder)
    narrator.say(f"Le tout en {time.monotonic() - started:.0f} secondes.")
    return 0 if balanced else 1


def _play(narrator: Narrator, platform: Platform, folder: Path) -> None:
    client = Client(platform.base_url, platform.tokens.__getitem__)
    play(Scenario(client, Mailbox(platform.mail, platform.sms), narrator, folder / "batches"))


def _reconcile(narrator: Narrator, platform: Platform) -> bool:
    """Checks every identity across services over the whole story, to the cent."""
    narrator.chapter("Réconciliation", "chaque égalité, au centime, d'un service à l'autre")
    client = Client(platform.base_url, platform.tokens.__getitem__)
    client.wait_idle()
    found: dict[str, Any] = client.get("/v1/finance/reconciliation", client.token_of("finance"))
    sums: dict[str, dict[str, int]] = {}
    for day in found["days"]:
        for identity in day["identities"]:
            seen = sums.setdefault(identity["name"], {"left": 0, "right": 0, "differences": 0, "days": 0})
            seen["left"] += identity["left"]
            seen["right"] += identity["right"]
            seen["differences"] += identity["difference"] != 0
            seen["days"] += 1
    narrator.table(
        ("Égalité", "à gauche", "à droite", "jours", "jours en écart"),
        [
            (name, euros(row["left"]), euros(row["right"]), row["days"], row["differences"])
            for name, row in sums.items()
        ],
    )
    balanced: bool = found["balanced"]
    narrator.say("Tout est juste." if balanced else f"Des écarts : {found['differences']}")
    return balanced


def _list_files(narrator: Narrator, folder: Path) -> None:
    mails = sum(1 for _ in (folder / "mails").glob("*.eml"))
    narrator.chapter("Fichiers", str(folder))
    narrator.say(
        "batches/<fin de quinzaine>/transfers.xml, details.csv, venues.csv, wallets.csv, et les remboursements de "
        "chaque structure jusque-là : reimbursements-<SIREN>.csv"
    )
    narrator.say(f"mails/ : {mails} messages ; text-messages/ : les codes des téléphones")
    narrator.say(
        "state/ : une base par service et celle des clés, à interroger avec STATE_DIR et la commande passculture"
    )


if __name__ == "__main__":
    sys.exit(main())
