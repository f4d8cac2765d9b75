"""java-tron's manners: parameters in a body or in the URL, and errors that are sent as 200."""

from __future__ import annotations

import msgspec
from aiohttp import web

from chains.sandbox.tron.methods import Params

PARSE = "class org.tron.core.services.http.JsonFormat$ParseException"
SYNTAX = "class com.alibaba.fastjson.JSONException"


async def params_of(request: web.Request) -> Params:
    """What is asked for, by GET or POST; raises msgspec.DecodeError."""
    if request.method == "GET":
        return msgspec.convert(dict(request.query), Params, strict=False)
    return msgspec.json.decode(await request.read() or b"{}", type=Params)


def sent(answer: object) -> web.Response:
    """An answer as JSON."""
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def refused(error: Exception) -> web.Response:
    """What is wrong with a request, in java-tron's words for that kind of fault."""
    broken = isinstance(error, msgspec.DecodeError)  # the base of ValidationError, too
    if broken and not isinstance(error, msgspec.ValidationError):
        return sent({"Error": f"{SYNTAX} : {error}"})
    return sent({"Error": f"{PARSE} : {error}"})


def unknown(request: web.Request) -> web.Response:
    """There is no such path."""
    words = f"HTTP method {request.method} is not supported by this URL"
    return web.Response(
        status=405,
        content_type="text/html",
        text=f"<html>\n<head>\n<title>Error 405 {words}</title>\n</head>\n</html>\n",
    )
