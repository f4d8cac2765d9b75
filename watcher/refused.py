"""Requests that cannot be granted; an API turns each class into a status and code by one table."""

from __future__ import annotations


class Refused(Exception):
    """A request that cannot be granted as it stands; nothing was stored."""

    def __init__(self, message: str = "", *, field: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])
        self.field = field
        """The input that is to blame, as a path: `price.amount`, `methods.0`."""

    @property
    def sentence(self) -> str:
        """The message with the field that it is about."""
        return f"{self.field}: {self}" if self.field else str(self)


class RefusedForNow(Refused):
    """What is refused now may be granted later, though the request stays the same."""


class BadField(Refused):
    """A field is wrong."""


class NotFound(Refused):
    """There is no such thing, or it belongs to another merchant."""


class MoneySeen(Refused):
    """Money was already seen for this invoice, so it can no longer be cancelled."""


class NotOpen(Refused):
    """The invoice is no longer open for payment."""


class PayerMayNotCancel(Refused):
    """Only the merchant may cancel this invoice."""


class NothingToAccept(Refused):
    """Everything that was paid counts already."""


class NothingSeen(Refused):
    """Nothing was paid that counts; name the deposits to accept."""


class UnknownDeposit(Refused):
    """The invoice has no such deposit."""


class DepositOrphaned(Refused):
    """The deposit's block left the chain, so its money is not there."""


class NoRate(RefusedForNow):
    """There is no rate between the price's currency and any of the offered methods."""


class NoAddressLeft(RefusedForNow):
    """The merchant's wallets have no address left to give; add a wallet or fill the pool."""


class EventsGone(Refused):
    """Some of these events were forgotten, as the configuration says."""


class TooManyWebhooks(Refused):
    """The merchant has as many webhooks as there may be; delete one first."""


class WebhookDisabled(Refused):
    """The webhook is disabled; enable it first."""


class AlreadyThere(Refused):
    """It exists already."""


class AddressTampered(Refused):
    """A stored address is not the one that its wallet derives: the database was changed."""


class NotOurs(Refused):
    """The block is not known to be in our chain."""


class Busy(RefusedForNow):
    """The same is being done already."""


class RequestRunning(RefusedForNow):
    """A request with this Idempotency-Key is still running; try again."""


class KeyReused(Refused):
    """This Idempotency-Key came with another request before; use a new one for each."""


class WalletInUse(Refused):
    """An invoice has an address of this wallet, which must be watched for ever."""
