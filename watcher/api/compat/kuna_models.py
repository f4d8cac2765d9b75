"""What requests to KUNA Pay may say, in its names and with its limits."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from watcher.api import models
from watcher.api.compat.reading import Amount, Asked, Currency, Link, Query, Whole
from watcher.render import Json

Line = Annotated[str, Field(max_length=255), Whole]
FIELDS = {
    "email": ("email", "E-mail"),
    "name": ("text", "Name"),
    "phone": ("phone", "Telephone"),
    "address": ("text", "Address"),
}
"""What our checkout page can ask: type and label by name."""


class Customization(Asked):
    """What the checkout page does in the end."""

    redirectUrl: Link
    redirectButtonTitle: Annotated[str, Field(max_length=100), Whole] | None = None


class SchemaField(Asked):
    """One question."""

    name: Literal["email", "name", "phone", "address"]


class Questionnaire(Asked):
    """What the payer is asked."""

    schemaFields: Annotated[list[SchemaField], Field(max_length=20, default_factory=list)]

    def asked(self) -> Json | None:
        """As we keep it; each question once."""
        names = dict.fromkeys(each.name for each in self.schemaFields)
        fields = [
            {"name": name, "label": FIELDS[name][1], "type": FIELDS[name][0], "required": True}
            for name in names
        ]
        return {"fields": fields, "answers": None} if fields else None


class InvoiceIn(Asked):
    """The body of a create."""

    asset: Currency
    amount: Amount
    callbackUrl: Link | None = None
    shouldSendTransactionalCallback: bool = False
    customization: Customization | None = None
    questionnaire: Questionnaire | None = None
    externalOrderId: Line | None = None
    productDescription: Annotated[str, Field(max_length=1000), Whole] | None = None
    productCategory: Line | None = None


def _zoned(value: object) -> object:
    """In a query the plus sign of an offset arrives as a space."""
    return re.sub(r" (\d\d:?\d\d)$", r"+\1", value) if isinstance(value, str) else value


Time = Annotated[models.Time, BeforeValidator(_zoned)]
Take = Annotated[int, Field(ge=1, le=100)]
Skip = Annotated[int, Field(ge=0, le=1_000_000)]
Order = Literal["createdAt", "completedAt", "invoiceAssetCode", "paymentAssetCode", "status"]


class AssetQuery(Query):
    """The query of the catalogue."""

    take: Take = 100
    skip: Skip = 0


class ListQuery(Query):
    """The query of the list."""

    take: Take = 20
    skip: Skip = 0
    createdFrom: Time | None = None
    createdTo: Time | None = None
    completedFrom: Time | None = None
    completedTo: Time | None = None
    externalOrderId: Line | None = None
    invoiceAssetCode: Line | None = None
    paymentAssetCode: Line | None = None
    orderBy: Order = "createdAt"
