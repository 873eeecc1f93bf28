"""Weights are found where the user says or in the hub's cache, fetched when asked for, and never a riddle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
from hub_server import Hub

from m3dbench.adapters.checkpoints import Checkpoint, WeightSource, locate
from m3dbench.adapters.checkpoints.download import needed
from m3dbench.adapters.checkpoints.files import Layout
from m3dbench.adapters.checkpoints.tokenizer import find_tokenizer
from m3dbench.errors import UserError

ID, COMMIT = "owner/model", "a" * 40
SOURCE = WeightSource(ID, "main", 8.1, "Apache-2.0", "10 GB in bf16", "m3d-lamed-tiny")
SHARDS = {f"model-0000{number}-of-00002.safetensors": bytes([number]) * 3000 for number in (1, 2)}
FILES = {
    "config.json": b'{"model_type": "toy"}',
    "tokenizer.json": b"{}",
    "model.safetensors.index.json": json.dumps({"weight_map": {name: name for name in SHARDS}}).encode(),
    **SHARDS,
    "merged_model.bin": b"the same again",
    "modeling_toy.py": b"raise SystemExit",
}
FETCH = """
import sys
from m3dbench.adapters.checkpoints import WeightSource, locate
from m3dbench.errors import UserError
try:
    print(locate(WeightSource("owner/model", "main", 8.1, "none", "much", ""), revision=sys.argv[1], download=True))
except UserError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's library, for this process."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if hasattr(huggingface_hub.constants, name):
            monkeypatch.setattr(huggingface_hub.constants, name, str(tmp_path / "hub"))
    return tmp_path / "hub"


def cached(cache: Path, names: list[str]) -> Path:
    repository = cache / "models--owner--model"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    for name in names:
        (snapshot / name).write_bytes(FILES[name])
    return snapshot


def test_a_local_folder_or_file(tmp_path: Path) -> None:
    assert locate(SOURCE, str(tmp_path)) == tmp_path
    (tmp_path / "merged_model.bin").touch()
    assert locate(SOURCE, str(tmp_path / "merged_model.bin")) == tmp_path / "merged_model.bin"


@pytest.mark.parametrize("weights", ["./nowhere", "/no/where/at/all", "name with spaces"])
def test_a_path_that_is_not_there(weights: str) -> None:
    with pytest.raises(UserError, match="not a hub id") as caught:
        locate(SOURCE, weights)
    assert weights in str(caught.value)


def test_the_cache_of_the_hub(cache: Path) -> None:
    snapshot = cached(cache, ["config.json", "model.safetensors.index.json", *SHARDS])
    assert locate(SOURCE) == locate(SOURCE, ID) == locate(SOURCE, ID, COMMIT) == snapshot
    origin = Checkpoint.find(SOURCE).origin()
    assert (origin["hub_id"], origin["commit"]) == (ID, COMMIT)


def test_no_weights_no_riddle(cache: Path) -> None:
    with pytest.raises(UserError) as caught:
        locate(SOURCE)
    told = str(caught.value)
    for part in (ID, "revision main", str(cache), "8.1 GB", "Apache-2.0", "10 GB in bf16", "--download"):
        assert part in told
    assert "-o weights=FOLDER" in told
    assert "--model m3d-lamed-tiny, which runs at once" in told


def test_of_another_repository_nothing_is_claimed(cache: Path) -> None:
    with pytest.raises(UserError) as caught:
        locate(SOURCE, "else/where", "v2")
    assert "else/where (revision v2)" in str(caught.value)
    assert "8.1" not in str(caught.value)


def test_a_partial_download_is_not_taken(cache: Path) -> None:
    cached(cache, ["config.json", "model.safetensors.index.json", min(SHARDS)])
    with pytest.raises(UserError, match=f"not complete: 1 of 2 weight files are missing: {max(SHARDS)}"):
        locate(SOURCE)


def test_weights_are_fetched_once_and_no_code() -> None:
    assert set(needed(list(FILES))) == set(FILES) - {"merged_model.bin", "modeling_toy.py"}
    assert "pretrained_ViT.bin" not in needed(["config.json", "pytorch_model.bin", "pretrained_ViT.bin"])
    assert set(needed(["a/model.safetensors", "merged_model.bin"])) == {"merged_model.bin"}
    assert "non_lora_trainables.bin" in needed(["adapter_model.safetensors", "non_lora_trainables.bin"])


PARTS = Layout("args/config.json", ("llm", "tower"))
IN_PARTS = {
    "README.md": b"# a model",
    "args/config.json": b"{}",
    "args/training.json": b"{}",
    "llm/config.json": b"{}",
    "llm/pytorch_model.bin": b"weights",
    "llm/modeling_toy.py": b"raise SystemExit",
    "tower/model.safetensors": b"weights",
    "tower/pytorch_model.bin": b"the same again",
    "other/pytorch_model.bin": b"of no use",
    "optimizer.bin": b"of no use",
}
WANTED = {"README.md", "args/config.json", "llm/config.json", "llm/pytorch_model.bin", "tower/model.safetensors"}
FETCH_PARTS = """
from m3dbench.adapters.checkpoints import Checkpoint, WeightSource
from m3dbench.adapters.checkpoints.files import Layout
from m3dbench.adapters.checkpoints.tokenizer import find_tokenizer
layout = Layout("args/config.json", ("llm", "tower"))
found = Checkpoint.find(WeightSource("owner/model", "main", 8.1, "none", "much", "", layout), download=True)
print(found.path, *[found.part(path) + path.name for path in found.files()])
find_tokenizer("", (found.path,), "owner/model", option="tokenizer", what="its tokenizer", download=True)
"""


def test_of_a_folder_of_parts_the_weights_of_each_are_fetched_once() -> None:
    assert set(needed(list(IN_PARTS), PARTS)) == WANTED


def test_parts_and_a_tokenizer_in_the_cache_of_the_hub(cache: Path) -> None:
    snapshot = cached(cache, [])
    source = WeightSource(ID, "main", 8.1, "none", "much", "", PARTS)
    for name in ("args/config.json", "llm/pytorch_model.bin"):
        (snapshot / name).parent.mkdir()
        (snapshot / name).write_bytes(IN_PARTS[name])
    with pytest.raises(UserError, match="is not complete: there are no weight files"):
        locate(source)
    (snapshot / "tower").mkdir()
    (snapshot / "tower" / "pytorch_model.bin").touch()
    checkpoint = Checkpoint.find(source)
    assert [checkpoint.part(path) for path in checkpoint.files()] == ["llm/", "tower/"]
    with pytest.raises(UserError, match="its tokenizer is not on this machine"):
        find_tokenizer("", (snapshot,), ID, option="tokenizer", what="its tokenizer")
    (snapshot / "vocab.txt").write_text("a")
    assert find_tokenizer("", (cache,), ID, option="tokenizer", what="its tokenizer") == snapshot
    assert find_tokenizer(ID, (cache,), "else/where", option="tokenizer", what="its tokenizer") == snapshot


@pytest.mark.enable_socket
def test_a_folder_of_parts_is_downloaded_and_a_missing_tokenizer_told(tmp_path: Path) -> None:
    with Hub(ID, IN_PARTS, kind="model") as hub:
        own = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "hf")}
        command = [sys.executable, "-c", FETCH_PARTS]
        done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=600)
    folder, *files = done.stdout.split()
    assert files == ["llm/pytorch_model.bin", "tower/model.safetensors"]
    names = {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}
    assert names == WANTED
    assert "owner/model holds no tokenizer" in done.stderr


def test_code_is_fetched_where_it_is_asked_for_and_weights_of_one_library() -> None:
    assert "modeling_toy.py" in needed(list(FILES), code=True)
    both = ["config.json", "model.safetensors", "open_clip_config.json", "open_clip_model.safetensors", "merges.txt"]
    assert set(needed(both)) == set(both) - {"open_clip_model.safetensors"}
    alone = ["open_clip_config.json", "open_clip_pytorch_model.bin", "chat_template.jinja"]
    assert set(needed(alone)) == set(alone)


def test_a_snapshot_without_the_code_it_needs_is_not_complete(cache: Path) -> None:
    snapshot = cached(cache, list(FILES))
    (snapshot / "config.json").write_text('{"auto_map": {"AutoModel": "modeling_toy.Toy", "AutoConfig": "other.Toy"}}')
    assert locate(SOURCE) == snapshot
    with pytest.raises(UserError, match=r"not complete: no other.py"):
        locate(SOURCE, code=True)


def test_some_files_of_a_data_set_repository(cache: Path) -> None:
    source = WeightSource(ID, "main", 1.2, "none", "much", "", files=("checkpoint.pt",), kind="dataset", option="state")
    with pytest.raises(UserError) as caught:
        locate(source)
    assert f"/datasets/{ID}" in str(caught.value)
    assert "-o state=FOLDER" in str(caught.value)
    snapshot = cache / "datasets--owner--model" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "checkpoint.pt").touch()
    assert locate(source, revision=COMMIT) == snapshot
    assert Checkpoint(snapshot).origin()["hub_id"] == ID


@pytest.mark.enable_socket
def test_of_a_data_set_repository_only_those_files_are_fetched(tmp_path: Path) -> None:
    files = {"checkpoint.pt": b"state" * 100, "images.zip": b"pictures", "README.md": b"words"}
    script = FETCH.replace(
        '"none", "much", ""', '"none", "much", "", files=("checkpoint.pt", "absent"), kind="dataset"'
    )
    with Hub(ID, files) as hub:
        own = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "hf")}
        call = [sys.executable, "-c", script, "main"]
        done = subprocess.run(call, env=own, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in Path(done.stdout.strip()).iterdir()] == ["checkpoint.pt"]


Fetch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(ID, FILES, kind="model") as running:
        yield running


@pytest.fixture
def fetch(hub: Hub, tmp_path: Path) -> Fetch:
    """``locate`` with ``download`` in a process of its own, which takes the hub for the real one."""

    def call(revision: str = "main", **environment: str) -> subprocess.CompletedProcess[str]:
        own = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "hf"), **environment}
        return subprocess.run(
            [sys.executable, "-c", FETCH, revision], env=own, capture_output=True, text=True, timeout=600
        )

    return call


@pytest.mark.enable_socket
def test_download_with_progress_and_again_without_the_hub(hub: Hub, fetch: Fetch) -> None:
    done = fetch()
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert {path.name for path in folder.iterdir()} == set(FILES) - {"merged_model.bin", "modeling_toy.py"}
    assert all((folder / name).read_bytes() == content for name, content in SHARDS.items())
    assert "B/s" in done.stderr or "it/s" in done.stderr
    count = len(hub.seen)
    assert fetch().stdout == done.stdout
    assert len(hub.seen) == count


@pytest.mark.enable_socket
def test_a_download_goes_on_where_a_file_was_left(hub: Hub, fetch: Fetch) -> None:
    hub.fail(f"*/resolve/*/{max(SHARDS)}", status=403, times=-1)
    failed = fetch()
    assert failed.returncode == 1
    assert "run the same command again" in failed.stderr
    hub.faults.clear()
    first = [one.path for one in hub.asked("/storage/*")]
    assert fetch().returncode == 0
    then = {one.path for one in hub.asked("/storage/*")[len(first) :]}
    assert f"/storage/{max(SHARDS)}" in then
    assert then.isdisjoint(first)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("fault", "revision", "told"),
    [
        ({"status": 401, "headers": {"X-Error-Code": "GatedRepo"}}, "main", "its terms must be accepted"),
        ({"status": 404, "headers": {"X-Error-Code": "RepoNotFound"}}, "main", "the hub shows no such model"),
        ({"status": 403}, "main", "does not answer as it should"),
        (None, "v9", "it has no revision v9"),
    ],
)
def test_refusals_of_the_hub_are_told(
    fault: dict[str, object] | None, revision: str, told: str, hub: Hub, fetch: Fetch
) -> None:
    if fault is not None:
        hub.fail(times=-1, **fault)
    failed = fetch(revision)
    assert failed.returncode == 1
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr


def test_no_space_is_told_before_the_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from m3dbench.adapters.checkpoints import download

    class Disk:
        free = 5_000_000_000

    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: Disk)
    download.check_space(4_000_000_000, tmp_path / "not" / "made")
    with pytest.raises(UserError, match=r"needs 8.0 GB, the disk has 5.0 GB free"):
        download.check_space(8_000_000_000, tmp_path / "not" / "made")
