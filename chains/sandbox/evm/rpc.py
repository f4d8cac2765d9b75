"""JSON-RPC 2.0 as a node speaks it: envelopes, batches, errors."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from chains.sandbox.chain import Json

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602

Method = Callable[..., object]
"""Its parameters are checked against their annotations; a ValueError says what is wrong."""


class RpcError(Exception):
    """What a node answers instead of a result."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Ready:
    """A method with what it wants, looked up once."""

    call: Method
    signature: inspect.Signature
    hints: Mapping[str, Any]

    @classmethod
    def of(cls, method: Method) -> _Ready:
        return cls(method, inspect.signature(method), typing.get_type_hints(method))

    def arguments(self, params: list[Any]) -> list[Any]:
        """`params` as the method wants them; raises ValueError."""
        try:
            named = self.signature.bind(*params).arguments.items()
            return [msgspec.convert(value, self.hints[name]) for name, value in named]
        except (TypeError, msgspec.ValidationError) as error:
            raise ValueError(str(error)) from error


class Service:
    """Answers calls by method name."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._methods = {name: _Ready.of(method) for name, method in methods.items()}

    def answer(self, body: bytes) -> Json | list[Json]:
        """The answer to a call, or to a batch of them."""
        try:
            asked = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _error(None, PARSE_ERROR, "parse error")
        if isinstance(asked, list) and asked:
            return [self._answer(each) for each in asked]
        return self._answer(asked)

    def _answer(self, asked: Any) -> Json:
        match asked:
            case {"method": str(name), "params": list(params), **rest}:
                id = rest.get("id")
            case {"method": str(name), **rest} if "params" not in rest:
                id, params = rest.get("id"), []
            case _:
                return _error(None, INVALID_REQUEST, "invalid request")
        method = self._methods.get(name)
        if method is None:
            return _error(id, NO_METHOD, f"the method {name} does not exist/is not available")
        try:
            result = method.call(*method.arguments(params))
        except RpcError as error:
            return _error(id, error.code, str(error))
        except ValueError as error:
            return _error(id, INVALID_PARAMS, f"invalid params: {error}")
        return {"jsonrpc": "2.0", "id": id, "result": result}


def _error(id: object, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}
