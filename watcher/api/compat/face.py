"""What a face is: its routes, and how its clients expect errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from watcher.api.errors import Envelope, Problem
from watcher.faces.values import encode
from watcher.render import Json

ROOT = "/compat"
RUNNING = "idempotency_key_in_use"


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as every face can tell it."""

    status: int
    code: str
    """Ours, see `watcher.api.errors`."""
    sentences: Sequence[str]
    """One for each wrong field, which it names as the face does; else a single one."""
    fields: Sequence[Mapping[str, str]]
    """`field`, `code` and `message` of each wrong field."""
    request_id: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Face:
    """A replica of another system's invoice API, under `/compat/<name>`."""

    name: str
    routes: Sequence[web.AbstractRouteDef]
    """Their paths begin below the face; each is served with and without a slash at its end."""
    error: Callable[[web.Request, Fault], Json]
    """The body of an error."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Names of its own for fields that our use cases complain of; see `NewInvoice`."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """By code, where an error has not the usual status."""

    @property
    def root(self) -> str:
        return f"{ROOT}/{self.name}"

    def mounted(self) -> list[web.RouteDef]:
        """The routes as the application serves them."""
        return [self._mounted(each) for each in self.routes if isinstance(each, web.RouteDef)]

    def _mounted(self, route: web.RouteDef) -> web.RouteDef:
        path = self.root + route.path + "{slash:/?}"
        return web.RouteDef(route.method, path, route.handler, {})

    def envelope(self) -> Envelope:
        """What makes the answer of a problem."""

        def answer(request: web.Request, problem: Problem, request_id: str) -> web.Response:
            fault = self.fault(problem, request_id)
            return web.Response(
                text=encode(self.error(request, fault)).decode(),
                status=fault.status,
                content_type="application/json",
                headers={**fault.headers, "X-Request-Id": request_id},
            )

        return answer

    def fault(self, problem: Problem, request_id: str) -> Fault:
        """The problem in this face's status and names of fields."""
        running = problem.code == RUNNING
        usual = 400 if problem.status == 422 else problem.status
        fields = [{**each, "field": self._named(each["field"])} for each in problem.errors]
        sentences = [f"{each['field']} {each['message']}".strip() for each in fields]
        return Fault(
            status=self.statuses.get(problem.code, usual),
            code=problem.code,
            sentences=sentences or [problem.detail],
            fields=fields,
            request_id=request_id,
            headers={**problem.headers, **({"Retry-After": "1"} if running else {})},
        )

    def _named(self, name: str) -> str:
        """A field as this face calls it, with what follows it: `methods.0` -> `currencies.0`."""
        for ours, theirs in self.fields.items():
            if name == ours or name.startswith(f"{ours}."):
                return theirs + name.removeprefix(ours)
        return name
