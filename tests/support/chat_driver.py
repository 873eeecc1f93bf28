"""Asks a thousand things of a chat server, to be killed on the way: chat_driver.py URL LOG OUT COUNT CONCURRENCY."""

import sys
from pathlib import Path

from m3dbench.chat.client import in_order
from m3dbench.chat.connect import connect
from m3dbench.chat.http import HttpClient
from m3dbench.chat.messages import ChatRequest
from m3dbench.chat.retry import Policy
from m3dbench.runs import jsonl

url, log, out, count, concurrency = sys.argv[1:6]
client = connect("tiny", base_url=url, log=Path(log), concurrency=int(concurrency))
assert isinstance(client, HttpClient)
client.policy = Policy(first_s=0.02, longest_s=0.2)
requests = (
    ChatRequest(
        ({"role": "user", "content": f"Question {number}?"},), {"max_tokens": 9, "temperature": 0}, f"s{number}"
    )
    for number in range(int(count))
)
rows = [
    jsonl.line({"number": place, "status": reply.status, "text": reply.text, "reason": reply.reason})
    for place, reply in enumerate(in_order(client.complete(requests)))
]
jsonl.replace(Path(out), b"".join(rows))
