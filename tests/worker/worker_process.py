"""A program that loads a function app as Azure's Python worker does, and calls its functions.

    python worker_process.py FOLDER

It makes the calls that the worker's process makes, on Microsoft's ``azure-functions-runtime``. It prints one JSON
line with what was indexed, then answers each JSON line it reads with one of its own.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import logging
import os
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HERE = Path(__file__).parent


class WorkerError(Exception):
    """What the worker's library answered instead of success."""


class Worker:
    """The worker library with one app loaded."""

    def __init__(self, runtime: Any, messages: Any) -> None:
        self._runtime = runtime
        self._messages = messages

    async def load(self, folder: str) -> list[dict[str, Any]]:
        """Return the functions that the worker reports to the host."""
        await self._send("worker_init_request", self._messages.WorkerInitRequest(function_app_directory=folder))
        request = self._messages.FunctionsMetadataRequest(function_app_directory=folder)
        found = (await self._send("functions_metadata_request", request)).function_metadata_results
        for each in found:
            request = self._messages.FunctionLoadRequest(function_id=each.function_id, metadata=each)
            await self._send("function_load_request", request)
        return [
            {"name": each.name, "id": each.function_id, "trigger": json.loads(each.raw_bindings[0])} for each in found
        ]

    async def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a function's answer to one request, or the error it raised."""
        try:
            response = await self._invoke(request)
        except WorkerError as error:
            return {"error": str(error)}
        http = response.return_value.http
        body = base64.b64encode(http.body.bytes).decode()
        cookies = [_cookie(each) for each in http.cookies]
        return {"status": int(http.status_code or 0), "headers": dict(http.headers), "body": body, "cookies": cookies}

    async def _invoke(self, request: dict[str, Any]) -> Any:
        data = self._typed_data(request)
        binding = self._messages.ParameterBinding(name=request["parameter"], data=data)
        metadata = {name: self._messages.TypedData(string=value) for name, value in request.get("metadata", {}).items()}
        message = self._messages.InvocationRequest(
            invocation_id=str(uuid.uuid4()),
            function_id=request["function_id"],
            input_data=[binding],
            trigger_metadata=metadata,
        )
        return await self._send("invocation_request", message)

    def _typed_data(self, request: dict[str, Any]) -> Any:
        if "http" in request:
            body = self._messages.TypedData(bytes=base64.b64decode(request["body"]))
            return self._messages.TypedData(http=self._messages.RpcHttp(**request["http"], body=body))
        return self._messages.TypedData(**{request["kind"]: request["value"]})

    async def _send(self, name: str, content: Any) -> Any:
        """Return the worker's response; both ways over the wire's form."""
        message = self._messages.StreamingMessage(request_id=str(uuid.uuid4()), **{name: content})
        message = type(message).FromString(message.SerializeToString())
        envelope = SimpleNamespace(
            name="test", request=message, properties={"protos": self._messages, "host": "127.0.0.1"}
        )
        response = await getattr(self._runtime, name)(envelope)
        response = type(response).FromString(response.SerializeToString())
        if response.result.status != self._messages.StatusResult.Success:
            raise WorkerError(f"{response.result.exception.message}\n{response.result.exception.stack_trace}")
        return response


def _cookie(cookie: Any) -> dict[str, Any]:
    """Return a cookie as the host gets it; a domain that is empty is there all the same."""
    return {
        "name": cookie.name,
        "value": cookie.value,
        "domain": cookie.domain.value if cookie.HasField("domain") else None,
        "path": cookie.path.value,
        "http_only": cookie.http_only.value,
        "same_site": cookie.SameSite.Name(cookie.same_site),
        "max_age": cookie.max_age.value,
    }


async def serve(folder: str) -> None:
    """Load the app, then answer lines until there are no more."""
    # By name: a type checker finds neither, since the library needs 3.13 and the path is this program's.
    runtime = importlib.import_module("azure_functions_runtime")
    messages = importlib.import_module("messages").worker_messages()
    runtime.start_threadpool_executor()
    worker = Worker(runtime, messages)
    write_line(await worker.load(folder))
    while line := await asyncio.to_thread(sys.stdin.readline):
        write_line(await worker.call(json.loads(line)))


def write_line(value: Any) -> None:
    """Write one JSON line on the standard output that the caller reads."""
    os.write(OUT, json.dumps(value).encode() + b"\n")


if __name__ == "__main__":
    # What the app or the library print must not come between our lines.
    OUT = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.INFO)  # as the worker does
    app_folder = sys.argv[1]
    os.chdir(app_folder)
    # This program's own folder stays, for messages; the project's must not be found beside the package.
    sys.path[:1] = [app_folder, str(HERE)]
    asyncio.run(serve(app_folder))
