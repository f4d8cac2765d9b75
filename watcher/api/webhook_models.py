"""What requests about webhooks may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from watcher.api.errors import Problem
from watcher.api.models import Body, Line, Page, Text, example
from watcher.domain.events import PATTERNS
from watcher.webhooks import managing
from watcher.webhooks.addresses import LONGEST_URL
from watcher.webhooks.dialects import LADDER

Url = Annotated[str, Field(max_length=LONGEST_URL)]
Pattern = Annotated[Line, Field(json_schema_extra={"enum": [*PATTERNS]})]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=50)]
Retries = Annotated[int, Field(ge=0, le=len(LADDER))]
Unsaid = SkipJsonSchema[None]
"""The default of what may be left out, but not be null."""
Milliseconds = Annotated[int, Field(ge=1000, le=30_000)]


class WebhookIn(Body):
    """What `POST /v1/webhooks` takes; only `url` is required."""

    model_config = example(url="https://shop.example.org/paid", events=["invoice.*"])

    url: Url
    events: Patterns = Field(default=["*"])
    description: Text | None = None
    dialect: Literal["native", "billium", "bitgpt"] = "native"
    retry_count: Retries = len(LADDER)
    timeout_ms: Milliseconds | None = None

    def command(self) -> managing.NewWebhook:
        return managing.NewWebhook(**self.model_dump())


class WebhookChanges(Body):
    """What `PATCH /v1/webhooks/{id}` takes: what is left out stays."""

    model_config = example(enabled=False)

    url: Url | Unsaid = None
    events: Patterns | Unsaid = None
    description: Text | None = None
    retry_count: Retries | Unsaid = None
    timeout_ms: Milliseconds | None = None
    enabled: bool | Unsaid = None

    def given(self) -> dict[str, Any]:
        """The fields that were sent; null is a value of `description` and `timeout_ms` only."""
        sent = self.model_dump(exclude_unset=True)
        for name, value in sent.items():
            if value is None and name not in ("description", "timeout_ms"):
                raise Problem(422, f"{name}: must not be null")
        return sent


class DeliveryQuery(Page):
    """Filters of the lists of deliveries."""

    invoice_id: Line | None = None
    state: Literal["waiting", "held", "delivered", "dead"] | None = None
