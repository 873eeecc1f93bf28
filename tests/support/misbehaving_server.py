"""A chat completions server that misbehaves on demand, as a process of its own.

    python misbehaving_server.py --port-file PORT --log LOG [--faults 0.05] [--answer echo|choice|json|FILE.py:FUNCTION]

It writes its port into PORT when it listens. Faults that pass (429, 500, slow, cut, malformed, empty) are drawn from
the seed, the request's content and how often it has come, and never more than ``--patience`` times in a row; faults that
stay (refusal, unparsable) from the seed and the content. LOG gets a JSON line for everything that happened:
``{"digest", "id", "attempt", "outcome"}``, id being what m3dbench keeps the reply under, with outcome ``answered`` before a whole answer goes out, so that no client can keep
an answer that the log does not have. GET /counts sums them up.
``--key`` wants that bearer key (401 otherwise), ``--at-once`` answers 429 to more requests than that at one time, and
``--price-tag`` multiplies the tokens that it reports.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib.util
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from m3dbench.chat.messages import ChatRequest

PASSING = ("429", "500", "slow", "cut", "malformed", "empty")
STAYING = ("refusal", "unparsable")
Answer = Callable[[dict[str, Any]], str]


def fraction(*names: object) -> float:
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def client_digest(body: dict[str, Any], endpoint: str) -> str:
    """What m3dbench keeps a reply under."""
    options = {name: value for name, value in body.items() if name not in ("model", "messages")}
    return ChatRequest(tuple(body["messages"]), options).digest(endpoint, body["model"])


def said(body: dict[str, Any]) -> str:
    """The text of the last message."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def echo(body: dict[str, Any]) -> str:
    return "You said: " + said(body)


def choice(body: dict[str, Any]) -> str:
    """One of the offered letters, fixed by the request."""
    letters = sorted(set(re.findall(r"\b([A-D])[.:)]", said(body)))) or ["A"]
    return letters[int(fraction("choice", json.dumps(body["messages"])) * len(letters))] + "."


def as_json(body: dict[str, Any]) -> str:
    """An instance of the schema that the request asks for; numbers are fixed by the request."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {"type": "integer"})
    return json.dumps(_instance(schema, json.dumps(body["messages"])))


def _instance(schema: dict[str, Any], seed: str) -> Any:
    if "enum" in schema:
        return schema["enum"][int(fraction(seed, "enum") * len(schema["enum"]))]
    kind = schema.get("type")
    if kind == "object":
        return {name: _instance(inner, seed + name) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [_instance(schema.get("items", {}), f"{seed}{place}") for place in range(1 + int(fraction(seed) * 3))]
    if kind in ("integer", "number"):
        low, high = schema.get("minimum", 0), schema.get("maximum", 100)
        return round(low + fraction(seed, "number") * (high - low))
    return fraction(seed, "bool") < 0.5 if kind == "boolean" else "some text"


ANSWERS: dict[str, Answer] = {"echo": echo, "choice": choice, "json": as_json}


def answer_named(name: str) -> Answer:
    if name in ANSWERS:
        return ANSWERS[name]
    path, _, function = name.rpartition(":")
    spec = importlib.util.spec_from_file_location("answers", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Answer = getattr(module, function)
    return found


class Server:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.answer = answer_named(options.answer)
        self.rates = dict.fromkeys((*PASSING, *STAYING), options.faults)
        for item in options.fault or ():
            kind, _, rate = item.partition("=")
            self.rates[kind] = float(rate)
        self.seen: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.kept_as: dict[str, str] = {}
        self.active = 0
        self.log = Path(options.log).open("a")  # noqa: SIM115 - as long as the process

    def note(self, digest: str, attempt: int, outcome: str) -> None:
        self.counts[outcome] += 1
        event = {"digest": digest, "id": self.kept_as[digest], "attempt": attempt, "outcome": outcome}
        self.log.write(json.dumps(event) + "\n")
        self.log.flush()

    def draw(self, kinds: tuple[str, ...], *names: object) -> str:
        point = fraction(self.options.seed, *names)
        for kind in kinds:
            point -= self.rates[kind]
            if point < 0:
                return kind
        return ""

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        if first.startswith("GET"):
            return await self.write(writer, 200, {"counts": self.counts, "seen": len(self.seen)})
        if self.options.key and headers.get("authorization") != f"Bearer {self.options.key}":
            given = headers.get("authorization", "")
            return await self.write(
                writer, 401, {"error": {"message": f"wrong key: {given}", "code": "invalid_api_key"}}
            )
        body = json.loads(raw)
        if self.options.model and body["model"] != self.options.model:
            return await self.write(writer, 404, {"error": {"message": "no such model", "code": "model_not_found"}})
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        self.kept_as[digest] = client_digest(body, f"http://{headers['host']}/v1")
        self.seen[digest] += 1
        attempt = self.seen[digest]
        for name in self.options.refuse_option or ():
            if name in body:
                error = {"message": f"Unsupported parameter: {name}", "param": name, "code": "unsupported_parameter"}
                self.note(digest, attempt, "400")
                return await self.write(writer, 400, {"error": error})
        self.active += 1
        try:
            return await self.answered(body, digest, attempt, writer)
        finally:
            self.active -= 1

    async def answered(self, body: dict[str, Any], digest: str, attempt: int, writer: asyncio.StreamWriter) -> bool:
        options = self.options
        fault = self.draw(PASSING, digest, attempt) if attempt <= options.patience else ""
        if options.at_once and self.active > options.at_once:
            fault = "429"
        if fault == "429":
            self.note(digest, attempt, fault)
            error = {"error": {"message": "too many requests", "code": "rate_limit_exceeded"}}
            return await self.write(writer, 429, error, {"Retry-After": f"{options.retry_after:g}"})
        if fault == "500":
            self.note(digest, attempt, fault)
            return await self.write(writer, 500, {"error": {"message": "the server broke"}})
        await asyncio.sleep(options.slow if fault == "slow" else options.delay)
        if fault == "cut":
            self.note(digest, attempt, fault)
            writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\ncontent-type: application/json\r\n\r\n{"cho')
            await writer.drain()
            return False
        content = self.completion(body, self.draw(STAYING, "stays", digest))
        if fault == "malformed":
            self.note(digest, attempt, fault)
            return await self.write(writer, 200, json.dumps(content)[:-7])
        if fault == "empty":
            self.note(digest, attempt, fault)
            return await self.write(writer, 200, {**content, "choices": []})
        self.note(digest, attempt, "answered")
        return await self.write(writer, 200, content)

    def completion(self, body: dict[str, Any], stays: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.answer(body), "refusal": None}
        if stays == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I cannot help with medical images."}
        if stays == "unparsable":
            message["content"] = "Well {{ it depends; \u0000 }} who can say"
        prompt = (20 + len(said(body)) // 4) * self.options.price_tag
        return {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"] + "-0001",
            "system_fingerprint": "fp_misbehaving",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": 5, "total_tokens": prompt + 5},
        }

    async def write(
        self, writer: asyncio.StreamWriter, status: int, content: Any, headers: dict[str, str] | None = None
    ) -> bool:
        raw = (content if isinstance(content, str) else json.dumps(content)).encode()
        lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {len(raw)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
        await writer.drain()
        return True

    async def serve(self) -> None:
        server = await asyncio.start_server(self.connection, "127.0.0.1", 0, limit=2**26)
        place = Path(self.options.port_file)
        temporary = place.with_name(place.name + ".tmp")
        temporary.write_text(str(server.sockets[0].getsockname()[1]))
        temporary.replace(place)
        async with server:
            await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--answer", default="echo")
    parser.add_argument("--faults", type=float, default=0.0, help="rate of each fault")
    parser.add_argument("--fault", action="append", metavar="KIND=RATE", help="rate of one fault")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=int, default=3, help="so many faults of one request in a row at most")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--slow", type=float, default=0.5)
    parser.add_argument("--retry-after", type=float, default=0.05)
    parser.add_argument("--at-once", type=int, default=0)
    parser.add_argument("--key", default="")
    parser.add_argument("--model", default="")
    parser.add_argument("--refuse-option", action="append")
    parser.add_argument("--price-tag", type=int, default=1)
    asyncio.run(Server(parser.parse_args()).serve())


if __name__ == "__main__":
    main()
