"""From what a user names to a client."""

from __future__ import annotations

from pathlib import Path

from m3dbench.chat.client import Client
from m3dbench.chat.cost import Ledger, Price
from m3dbench.chat.endpoint import OPENAI, Endpoint
from m3dbench.chat.http import HttpClient
from m3dbench.chat.retry import Policy
from m3dbench.chat.store import Layers, Log, Memory, Shared, Store

LOCAL = "hf:"
FREE = Price()


def connect(
    model: str,
    *,
    base_url: str = OPENAI,
    api_key_env: str = "OPENAI_API_KEY",
    timeout_s: float = 120.0,
    concurrency: int = 8,
    price: Price = FREE,
    max_cost: float | None = None,
    ledger: Ledger | None = None,
    log: Path | None = None,
    usage: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
    attempts: int = 6,
) -> Client:
    """A client for ``model``: a server's name for it, or ``hf:PATH`` for a directory with a transformers model.

    log: this run's own file of replies, under the run's lock; what it holds counts towards ``max_cost``. usage: a file
    that gets a line of ``Client.recorded`` whenever a call of ``complete`` over HTTP ends. cache: a directory that runs
    and processes share. With neither log nor cache, replies are kept in memory. ledger: one that several clients share,
    in the place of ``price`` and ``max_cost``. seed: of the retry jitter. Raises UserError for anything that cannot be
    right.
    """
    ledger = ledger or Ledger(price, max_cost)
    stores: list[Store] = []
    if log is not None:
        stores.append(kept := Log(log))
        ledger.used += kept.used_before
        ledger.lost += kept.lost_before
    if cache is not None:
        stores.append(Shared(cache))
    store = Layers(*stores) if stores else Memory()
    if model.startswith(LOCAL):
        from m3dbench.chat.local import LocalClient

        return LocalClient(Path(model.removeprefix(LOCAL)), store=store)
    endpoint = Endpoint(model, base_url, api_key_env, timeout_s)
    policy = Policy(attempts=attempts, seed=seed)
    return HttpClient(endpoint, concurrency, policy, ledger, store, usage)
