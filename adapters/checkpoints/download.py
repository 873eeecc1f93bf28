"""Fetches a checkpoint from the hub into its local cache: what is needed of it, where there is space for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from m3dbench.adapters.checkpoints.files import OPEN_CLIP, PLAIN, SUFFIXES, TRAINED_BESIDE, Layout
from m3dbench.adapters.checkpoints.source import WeightSource
from m3dbench.errors import UserError

SMALL = (".json", ".jinja", ".model", ".txt", ".md")
SPARE = 1 << 28


def fetch(source: WeightSource, revision: str, *, code: bool = False) -> Path:
    """The snapshot's folder. Files that are there are kept; the hub's library shows the progress of the others.

    Code that lies beside the weights is fetched only with ``code``. Raises UserError when the hub does not give them,
    or the disk has no space for them.
    """

    def wanted(names: Sequence[str]) -> list[str]:
        if source.files:
            return [name for name in source.files if name in names]
        return needed(names, source.layout, code=code)

    folder = snapshot(source.hub_id, revision, wanted, source.kind)
    if trouble := source.lacking(folder, code):
        raise UserError(f"{source.hub_id} (revision {revision}) is no checkpoint: {trouble}", file=folder)
    return folder


def snapshot(hub_id: str, revision: str, wanted: Callable[[Sequence[str]], list[str]], kind: str = "model") -> Path:
    """The snapshot's folder with the files that are wanted of a repository's. Raises UserError as ``fetch`` does."""
    from huggingface_hub import HfApi, constants, snapshot_download, try_to_load_from_cache

    with _told(hub_id, revision):
        info: Any = HfApi().repo_info(hub_id, revision=revision, repo_type=kind, files_metadata=True, timeout=30)
        sizes = {sibling.rfilename: int(sibling.size or 0) for sibling in info.siblings or ()}
        names = wanted(list(sizes))
        absent = [
            name
            for name in names
            if not isinstance(try_to_load_from_cache(hub_id, name, revision=info.sha, repo_type=kind), str)
        ]
        check_space(sum(sizes[name] for name in absent), Path(constants.HF_HUB_CACHE))
        return Path(snapshot_download(hub_id, revision=revision, repo_type=kind, allow_patterns=names))


def needed(names: Sequence[str], layout: Layout = PLAIN, *, code: bool = False) -> list[str]:
    """Of a repository's files those to fetch: settings, tokenizer, and the weights once (safetensors before .bin,
    transformers' before open_clip's); with ``code`` its Python files too."""
    if not layout.parts:
        return _needed(names, code)
    kept = [name for name in _needed(names, code) if not name.endswith(SUFFIXES)]
    kept += [name for name in names if name == layout.config and "/" in name]
    for part in layout.parts:
        inside = [name.removeprefix(f"{part}/") for name in names if name.startswith(f"{part}/")]
        kept += [f"{part}/{name}" for name in _needed(inside, code)]
    return kept


def _needed(names: Sequence[str], code: bool) -> list[str]:
    """Of a folder's files; what lies in folders of its own is left."""
    top = sorted(name for name in names if "/" not in name)
    small = (*SMALL, ".py") if code else SMALL
    kept = [name for name in top if name.endswith(small) or name.startswith("LICENSE") or name in TRAINED_BESIDE]
    left = [name for name in top if name.endswith(SUFFIXES) and name not in TRAINED_BESIDE]
    if "config.json" in top:
        left = [name for name in left if name not in OPEN_CLIP] or left
    usual = ("pytorch_model", "adapter_model", "open_clip_pytorch_model")
    for weights in (
        [name for name in left if name.endswith(".safetensors")],
        [name for name in left if name.startswith(usual)],
        left,
    ):
        if weights:
            return [*kept, *weights]
    return kept


def check_space(size: int, cache: Path) -> None:
    """Raises UserError when the disk of the cache has no space for ``size`` bytes."""
    disk = next(place for place in (cache, *cache.absolute().parents) if place.exists())
    free = shutil.disk_usage(disk).free
    if size + SPARE > free:
        raise UserError(
            f"the download needs {size / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB free",
            file=cache,
            fix="make space, or put the hub's cache elsewhere: HF_HOME=FOLDER",
        )


@contextmanager
def _told(hub_id: str, revision: str) -> Iterator[None]:
    """The hub's errors as ours."""
    from huggingface_hub import constants, errors

    def failed(what: str, fix: str, error: Exception) -> UserError:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return UserError(f"{hub_id} cannot be downloaded: {what} ({first})", record=hub_id, fix=fix)

    again = "run the same command again: files that are complete are kept"
    try:
        yield
    except errors.GatedRepoError as error:
        site = f"{constants.ENDPOINT}/{hub_id}"
        raise failed("its terms must be accepted", f"accept them at {site}, and set HF_TOKEN", error) from error
    except errors.RevisionNotFoundError as error:
        raise failed(f"it has no revision {revision}", "give another: -o revision=...", error) from error
    except errors.RepositoryNotFoundError as error:
        raise failed("the hub shows no such model", "check the id; a private one needs HF_TOKEN", error) from error
    except errors.OfflineModeIsEnabled as error:
        raise failed("HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE", error) from error
    except _failures() as error:
        raise failed(f"the hub at {constants.ENDPOINT} does not answer as it should", again, error) from error


def _failures() -> tuple[type[Exception], ...]:
    """What requests raise; which HTTP library the hub's uses depends on its version."""
    from huggingface_hub.errors import HfHubHTTPError

    return (OSError, *(base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)))
