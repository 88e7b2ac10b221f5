"""A closed period: transfers to accounts, amounts carried forward, and the bank's answers.

For each account, and so for each batch: ``lines + brought forward = transferred + carried``. An account that owes more
than it earns receives nothing; the debt is set off in its next batch (decision 9), and follows its debtor to another
account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from eventsourcing.domain import Aggregate

from services.payout.domain.records import FORM, Debtor, Totals, VenuePaid
from services.payout.refusals import NoSuchTransfer, TransferAnswered
from shared.kernel.identifiers import stream_id
from shared.kernel.money import ZERO, Cents

AccountName = tuple[str, str]
"""(IBAN, BIC)."""


@dataclass(frozen=True, slots=True)
class AccountDue:
    """The sum of an account's lines in a batch, and the debt that it brings forward (0 or less)."""

    iban: str
    bic: str
    holder: str
    siren: str
    lines: int
    lines_total: Cents
    brought_forward: Cents


class Payment(StrEnum):
    """How a close pays the lines of an account, lines that it had carried forward included."""

    BY_TRANSFER = "by-transfer"
    """The bank's answer decides whether they are paid."""
    CARRIED_FORWARD = "carried-forward"
    """The account still owes money: its lines stay open for a later batch."""
    NOTHING_DUE = "nothing-due"
    """The lines cancel each other out: they are paid at the close. So is a line of 0 euros, which has no account."""


@dataclass(frozen=True, slots=True)
class NetAccount:
    """What an account receives and what it carries forward. ``end_to_end_id`` is None without a transfer."""

    due: AccountDue
    transferred: Cents
    carried: Cents
    end_to_end_id: str | None
    remittance: str

    @property
    def name(self) -> AccountName:
        return self.due.iban, self.due.bic

    @property
    def payment(self) -> Payment:
        if self.end_to_end_id is not None:
            return Payment.BY_TRANSFER
        return Payment.CARRIED_FORWARD if self.carried < 0 else Payment.NOTHING_DUE


def net(batch_id: int, label: str, dues: Iterable[AccountDue]) -> list[NetAccount]:
    """One transfer per account that is owed money, numbered in the order of (IBAN, BIC)."""
    accounts = []
    for number, due in enumerate(sorted(dues, key=lambda due: (due.iban, due.bic)), 1):
        balance = Cents(due.lines_total + due.brought_forward)
        transferred, carried = Cents(max(balance, ZERO)), Cents(min(balance, ZERO))
        assert balance == transferred + carried
        end_to_end_id = f"VIR{batch_id}-{number:06d}" if transferred else None
        accounts.append(NetAccount(due, transferred, carried, end_to_end_id, label))
    return accounts


@dataclass(frozen=True, slots=True)
class Share:
    """One venue's part of what an account carries forward, and the account on which the venue is paid now."""

    account: AccountName
    venue_id: int
    reimbursed: Cents
    paid_on: AccountName | None


@dataclass(frozen=True, slots=True)
class Debt:
    """What an account carries forward (less than 0), and the account that it moves to."""

    account: AccountName
    to: AccountName
    amount: Cents


def debts_to_move(shares: Iterable[Share]) -> list[Debt]:
    """The debts of accounts that no longer receive anything: all venues that owe a part are paid on other accounts.

    The whole debt moves to the account of the venue that owes most, because the venues of one account are liable for
    each other. While the old account still pays one of them, the debt stays and is set off there.
    """
    of_account: dict[AccountName, list[Share]] = defaultdict(list)
    for share in shares:
        of_account[share.account].append(share)
    moving = []
    for account, parts in sorted(of_account.items()):
        owing = min(parts, key=lambda share: (share.reimbursed, share.venue_id))
        amount = Cents(sum(share.reimbursed for share in parts))
        if amount < 0 and owing.paid_on is not None and all(share.paid_on != account for share in parts):
            moving.append(Debt(account, owing.paid_on, amount))
    return moving


def totals_of(
    accounts: Sequence[NetAccount], lines: int, contribution: Cents, without_bank_details: tuple[int, Cents]
) -> Totals:
    """``lines`` includes those of 0 euros. ``without_bank_details``: (lines, total) that no account can pay."""
    brought_forward = sum(account.due.brought_forward for account in accounts)
    return Totals(
        lines=lines,
        transfers=sum(1 for account in accounts if account.end_to_end_id),
        total=Cents(sum(account.due.lines_total for account in accounts)),
        contribution=contribution,
        transferred=Cents(sum(account.transferred for account in accounts)),
        carried=Cents(sum(account.carried for account in accounts) - brought_forward),
        without_bank_details_lines=without_bank_details[0],
        without_bank_details_total=without_bank_details[1],
    )


class PayoutBatch(Aggregate):
    """One per period. It opens, its lines enter in the streams of their years, it closes, the bank answers."""

    class Event(Aggregate.Event):
        batch_id: int

    class Opened(Event, Aggregate.Created):
        label: str
        cutoff: date
        last_line_id: int
        debtor: Debtor

    class BalancesNoted(Event):
        """The end of wallet's log at the close: for it, wallet always answers the same balances."""

        wallet_position: int

    class FormNoted(Event):
        """The format of its files, which never changes afterwards. Batches without this event have the first one."""

        form: int

    class DebtMoved(Event):
        """Another account carries the debt forward from now on (``debts_to_move``)."""

        iban: str
        bic: str
        to_iban: str
        to_bic: str
        amount: Cents

    class VenueListed(Event):
        venue: VenuePaid

    class AccountListed(Event):
        account: NetAccount

        def apply(self, batch: PayoutBatch) -> None:
            if self.account.end_to_end_id is not None:
                batch.transfers[self.account.end_to_end_id] = (self.account.transferred, "pending")

    class Closed(Event):
        label: str
        cutoff: date
        execution_date: date
        totals: Totals
        checksum: str | None

        def apply(self, batch: PayoutBatch) -> None:
            batch.closed = True

    class TransferSent(Event):
        end_to_end_id: str
        amount: Cents

        def apply(self, batch: PayoutBatch) -> None:
            batch.transfers[self.end_to_end_id] = (self.amount, "sent")

    class TransferRejected(Event):
        end_to_end_id: str
        amount: Cents
        reason: str

        def apply(self, batch: PayoutBatch) -> None:
            batch.transfers[self.end_to_end_id] = (self.amount, "rejected")

    def __init__(self, *, batch_id: int, label: str, cutoff: date, last_line_id: int, debtor: Debtor) -> None:
        self.batch_id = batch_id
        self.label = label
        self.cutoff = cutoff
        self.last_line_id = last_line_id
        self.debtor = debtor
        self.closed = False
        self.transfers: dict[str, tuple[Cents, str]] = {}

    @classmethod
    def begin(
        cls,
        at: datetime,
        batch_id: int,
        label: str,
        cutoff: date,
        last_line_id: int,
        debtor: Debtor,
        wallet_position: int,
    ) -> PayoutBatch:
        batch = cls._create(
            cls.Opened,
            id=stream_id("payout-batch", batch_id),
            timestamp=at,
            batch_id=batch_id,
            label=label,
            cutoff=cutoff,
            last_line_id=last_line_id,
            debtor=debtor,
        )
        batch._record(at, cls.BalancesNoted, wallet_position=wallet_position)
        batch._record(at, cls.FormNoted, form=FORM)
        return batch

    def move_debt(self, at: datetime, debt: Debt) -> None:
        (iban, bic), (to_iban, to_bic) = debt.account, debt.to
        names = {"iban": iban, "bic": bic, "to_iban": to_iban, "to_bic": to_bic}
        self._record(at, self.DebtMoved, amount=debt.amount, **names)

    def list_payments(
        self, at: datetime, accounts: Sequence[NetAccount], venues: Sequence[VenuePaid], totals: Totals
    ) -> None:
        """Records every venue and every account of the batch. ``close`` follows in the same transaction."""
        check_sums(totals, accounts, venues)
        for venue in venues:
            self._record(at, self.VenueListed, venue=venue)
        for account in accounts:
            self._record(at, self.AccountListed, account=account)

    def close(self, at: datetime, totals: Totals, execution_date: date, checksum: str | None) -> None:
        """``checksum``: SHA-256 of the transfer file; None when nothing is transferred."""
        period = {"label": self.label, "cutoff": self.cutoff}
        self._record(at, self.Closed, **period, execution_date=execution_date, totals=totals, checksum=checksum)

    def send(self, at: datetime, end_to_end_id: str) -> None:
        """The bank executed a transfer. A repetition changes nothing. Raises NoSuchTransfer, TransferAnswered."""
        amount = self._pending(end_to_end_id, "sent")
        if amount is not None:
            self._record(at, self.TransferSent, end_to_end_id=end_to_end_id, amount=amount)

    def reject(self, at: datetime, end_to_end_id: str, reason: str) -> None:
        """The bank rejected a transfer. A repetition changes nothing. Raises NoSuchTransfer, TransferAnswered."""
        amount = self._pending(end_to_end_id, "rejected")
        if amount is not None:
            self._record(at, self.TransferRejected, end_to_end_id=end_to_end_id, amount=amount, reason=reason)

    def _pending(self, end_to_end_id: str, wanted: str) -> Cents | None:
        """The amount of the transfer, or None when the bank has already given this answer."""
        if end_to_end_id not in self.transfers:
            raise NoSuchTransfer(f"Le lot {self.batch_id} n’a pas de virement {end_to_end_id}.")
        amount, status = self.transfers[end_to_end_id]
        if status not in ("pending", wanted):
            answer = "exécuté" if status == "sent" else "rejeté"
            raise TransferAnswered(
                f"La banque a déjà {answer} le virement {end_to_end_id} : cette réponse ne peut plus changer.",
                extra={"endToEndId": end_to_end_id},
            )
        return amount if status == "pending" else None

    def _record(self, at: datetime, kind: type[Event], /, **facts: Any) -> None:
        self.trigger_event(kind, timestamp=at, batch_id=self.batch_id, **facts)


def check_sums(totals: Totals, accounts: Sequence[NetAccount], venues: Sequence[VenuePaid]) -> None:
    """Asserts the identities of a batch before it is recorded: its lines add up to its transfers and debts."""
    assert totals.total == totals.transferred + totals.carried, "lines = transfers + carried"
    assert totals.total == sum(account.due.lines_total for account in accounts), "lines = lines of the accounts"
    assert totals.total == sum(venue.total for venue in venues), "lines = lines of the venues"
    assert totals.lines == sum(venue.lines for venue in venues), "every line belongs to a venue"
    assert totals.transferred == sum(account.transferred for account in accounts), "transfers = the accounts' transfers"
    assert totals.transfers == sum(1 for account in accounts if account.end_to_end_id), "one transfer an account"
    brought = sum(account.due.brought_forward for account in accounts)
    assert totals.carried == sum(account.carried for account in accounts) - brought, "carried = out - in"
