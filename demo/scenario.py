"""The actions of the story's chapters: book, validate at the desk, move the clock, close a fortnight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.client import Client, Mailbox, Refusal
from demo.founding_document import Offer, Structure
from demo.narration import Narrator, euros, plural
from demo.sign_up import Actor, Beneficiary

FINANCE_FILES = ("transfers.xml", "details.csv", "venues.csv", "wallets.csv")


@dataclass
class Scenario:
    client: Client
    mailbox: Mailbox
    narrator: Narrator
    output: Path
    actors: dict[str, Actor] = field(default_factory=dict)
    """By SIREN."""
    people: list[Beneficiary] = field(default_factory=list)

    def actor(self, structure: Structure) -> Actor:
        return self.actors[structure.siren]

    def move_clock(self, instant: str, title: str) -> None:
        """Moves the clock to ``instant``: all timers that fall due on the way run, in order."""
        now = self.client.post("/v1/ops/clock", {"to": instant}, self.client.token_of("operator"))["now"]
        self.narrator.chapter(now[:16].replace("T", " "), title)

    def book(self, who: Beneficiary, structure: Structure, offer: Offer, quantity: int = 1) -> dict[str, Any]:
        """Returns the booking, with its countermark. Raises Refusal."""
        body = {"stockId": self.actor(structure).stock_ids[offer.name], "quantity": quantity}
        key = f"demo/booking/{who.person.email}/{structure.siren}/{offer.name}"
        booking: dict[str, Any] = self.client.post("/v1/bookings", body, who.token, key=key)
        return booking

    def book_for_all(
        self, text: str, people: Sequence[Beneficiary], structure: Structure, offer: Offer, quantity: int = 1
    ) -> list[dict[str, Any]]:
        return self.narrator.each(text, lambda who: self.book(who, structure, offer, quantity), people)

    def validate(self, text: str, structure: Structure, bookings: Sequence[dict[str, Any]]) -> None:
        """Validates the countermarks of the bookings at the desk."""
        token = self.actor(structure).token

        def one(booking: dict[str, Any]) -> None:
            self.client.patch(f"/v2/bookings/use/token/{booking['countermark']}", token=token)

        self.narrator.each(text, one, bookings)

    def expect_refusal(self, what: str, attempt: Any) -> None:
        """Reports how the platform refuses ``attempt``. Raises AssertionError if it accepts."""
        try:
            attempt()
        except Refusal as refusal:
            self.narrator.say(f"{what} : refusé ({refusal.status} {refusal.code or 'au guichet'})")
            return
        raise AssertionError(f"the platform accepted: {what}")

    def remaining_credit(self, who: Beneficiary) -> int:
        cents: int = self.client.get("/v1/me/credit", who.token)["remainingCents"]
        return cents

    def close(self, cutoff: str) -> dict[str, Any]:
        """Previews and closes a batch, saves its files and confirms that the bank has sent it. Returns the batch."""
        finance = self.client.token_of("finance")
        preview = self.client.post("/v1/finance/payouts/preview", {"cutoff": cutoff}, finance)
        batch = self.client.post("/v1/finance/payouts", {"cutoff": cutoff}, finance, key=f"demo/close/{cutoff}")
        if (preview["totalCents"], preview["lines"]) != (batch["totalCents"], batch["lines"]):
            raise AssertionError(f"the preview {preview} differs from the batch {batch}")
        self._report_batch(batch)
        folder = self._save_files(batch, cutoff)
        self.client.post(f"/v1/finance/payouts/{batch['batchId']}/sent", {}, finance, key=f"demo/sent/{cutoff}")
        self.client.wait_idle()
        confirmed = "La banque confirme : virements exécutés, réservations remboursées."
        self.narrator.say(confirmed if batch["transfers"] else "Rien à virer : les lignes à 0 € sont soldées.")
        self.narrator.say(f"Fichiers : {folder}")
        self._save_reimbursements(folder)
        return dict(batch)

    def _report_batch(self, batch: dict[str, Any]) -> None:
        lines, transfers = plural(batch["lines"], "ligne"), plural(batch["transfers"], "virement")
        self.narrator.say(f"[bold]{batch['label']}[/bold] : {lines}, {transfers}, {euros(batch['totalCents'])}")
        if batch["contributionCents"]:
            self.narrator.say(f"Part que le barème laisse aux acteurs : {euros(batch['contributionCents'])}")
        without = batch["withoutBankDetails"]
        if without["lines"]:
            waiting = f"{plural(without['lines'], 'ligne')}, {euros(without['totalCents'])}"
            self.narrator.say(f"En attente de coordonnées bancaires : {waiting}")

    def _save_files(self, batch: dict[str, Any], cutoff: str) -> Path:
        folder = self.output / cutoff
        folder.mkdir(parents=True, exist_ok=True)
        for name in FINANCE_FILES:
            if name == "transfers.xml" and not batch["transfers"]:
                continue  # a transfer file needs at least one transfer
            path = f"/v1/finance/payouts/{batch['batchId']}/{name}"
            (folder / name).write_bytes(self.client.get_bytes(path, self.client.token_of("finance")))
        return folder

    def _save_reimbursements(self, folder: Path) -> None:
        """Saves the reimbursements file of each structure after this batch."""
        for actor in self.actors.values():
            content = self.client.get_bytes("/v1/pro/reimbursements.csv", actor.token)
            if content.count(b"\n") > 1:
                name = f"reimbursements-{actor.structure.siren}.csv"
                (folder / name).write_bytes(content)

    def year(self, structure: Structure, year: int) -> dict[str, Any]:
        siret = structure.venues[0].siret
        state = self.client.get(f"/v1/finance/establishments/{siret}/years/{year}", self.client.token_of("finance"))
        return dict(state)
