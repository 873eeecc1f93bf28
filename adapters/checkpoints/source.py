"""Finds a model's weights: a local path, the hub's local cache, or, where allowed, the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from m3dbench.adapters.checkpoints.files import (
    ADAPTER_CONFIG,
    OPEN_CLIP_CONFIG,
    PLAIN,
    Layout,
    lacks_code,
    why_incomplete,
)
from m3dbench.errors import UserError, missing_extra

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class WeightSource:
    """Facts about a published checkpoint, as an error shows them.

    hub_id, revision: where it is. size_gb: its download. memory: what running it needs, in words. alternative: a model
    that runs without a download. layout: of its folder. by_hand: what to do, where the hub's files are no checkpoint
    as they are. files: the few that are wanted of a repository, those of a checkpoint where empty; the first has to be
    there. kind: of repository. option: of the adapter, that names another place.
    """

    hub_id: str
    revision: str
    size_gb: float
    licence: str
    memory: str
    alternative: str
    layout: Layout = PLAIN
    by_hand: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    kind: Literal["model", "dataset"] = "model"
    option: str = "weights"

    def of(self, hub_id: str) -> WeightSource:
        """What is known of another repository: that it is a checkpoint of the same layout."""
        if hub_id == self.hub_id:
            return self
        return WeightSource(hub_id, "main", 0, "", "", self.alternative, self.layout)

    def lacking(self, folder: Path, code: bool = False) -> str:
        """What keeps a snapshot from being complete; empty when nothing does."""
        if self.files:
            return "" if (folder / self.files[0]).is_file() else f"no {self.files[0]}"
        return why_incomplete(folder, self.layout) or (lacks_code(folder) if code else "")


def any_model(alternative: str = "") -> WeightSource:
    """Of an adapter that takes any model, and publishes none: the user names the repository."""
    return WeightSource("", "main", 0, "", "", alternative)


def locate(
    source: WeightSource,
    weights: str | None = None,
    revision: str | None = None,
    *,
    download: bool = False,
    code: bool = False,
) -> Path:
    """The folder (or single file) of the weights.

    weights: the user's local path or hub id, None for the published ones. revision: branch, tag or commit at the hub.
    Nothing is fetched without ``download``, and code that lies beside the weights only with ``code``. Raises
    UserError that says what was looked for and how to get it.
    """
    if weights is not None and (path := local(weights, "weights")) is not None:
        if revision:
            told = f"the weights are at {weights}, and a revision is one of a repository at the hub"
            raise UserError(told, field="revision", fix="leave it out")
        return path
    hub_id = weights or source.hub_id
    wanted = source.of(hub_id)
    revision = revision or wanted.revision
    found = cached(wanted, revision)
    if found is not None and not wanted.lacking(found, code):
        return found
    if download and not wanted.by_hand:
        from m3dbench.adapters.checkpoints.download import fetch

        return fetch(wanted, revision, code=code)
    raise absent(source, hub_id, revision, found)


def cached(source: WeightSource, revision: str) -> Path | None:
    """The snapshot of a repository in the hub's local cache, complete or not; None when there is none."""
    for name in source.files or (source.layout.config, ADAPTER_CONFIG, OPEN_CLIP_CONFIG):
        if (found := snapshot_of(source.hub_id, name, revision, source.kind)) is not None:
            return found
    return None


def snapshot_of(hub_id: str, name: str, revision: str, kind: str = "model") -> Path | None:
    """The snapshot in the hub's local cache that holds this file of a repository; None when there is none."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise missing_extra("weights from the Hugging Face hub", "models") from error
    found = try_to_load_from_cache(hub_id, name, revision=revision, repo_type=kind)
    return Path(found).parents[name.count("/")] if isinstance(found, str) else None


def local(weights: str, option: str) -> Path | None:
    """A path that exists; None for a hub id. Raises UserError for anything else. option: where the user gave it."""
    path = Path(weights).expanduser()
    if path.exists():
        return path.resolve()
    if HUB_ID.fullmatch(weights):
        return None
    what = "are no weights" if option == "weights" else f"is no {option}"
    raise UserError(
        f"there {what} at {weights}: no such folder or file, and not a hub id (OWNER/NAME)",
        field=option,
        fix="give the folder of the checkpoint (config.json, tokenizer and weight files), or its hub id",
    )


def absent(source: WeightSource, hub_id: str, revision: str, partial: Path | None) -> UserError:
    """No weights, no riddle: what was looked for and where, how to get it, and what runs without it."""
    from huggingface_hub import constants

    told = [f"the weights {hub_id} (revision {revision}) are not on this machine"]
    if partial is not None:
        told.append(f"  their download in {partial} is not complete: {source.of(hub_id).lacking(partial, True)}")
    told.append(f"  looked in: {constants.HF_HUB_CACHE} (HF_HOME moves it)")
    if hub_id == source.hub_id:
        told += [f"  download: {source.size_gb:g} GB", f"  licence: {source.licence}", f"  memory: {source.memory}"]
    page = f"datasets/{hub_id}" if source.of(hub_id).kind == "dataset" else hub_id
    if source.of(hub_id).by_hand:
        ways = [*source.by_hand, f"then -o {source.option}=FOLDER (--download cannot do this)"]
    else:
        ways = [
            f"add --download to fetch them from {constants.ENDPOINT}/{page}",
            f"or -o {source.option}=FOLDER, where you have them elsewhere",
        ]
    if source.alternative:
        ways.append(f"or --model {source.alternative}, which runs at once")
    return UserError("\n".join(told), fix="\n       ".join(ways))
