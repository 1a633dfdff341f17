"""`data shards "s3://…"` against moto, a server that answers as S3 does."""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from dotcnn import SpecError
from dotcnn.training.data.images import image_store
from dotcnn.training.data.remote.remote_blocks import blocks
from dotcnn.training.data.remote.remote_shards import tar_files

from ..small import equal, last
from .test_remote_training import trained
from .test_shards import classes, packed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "not-to-be-shown",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "DOTCNN_CACHE": str(tmp_path / "cache"),
        "DOTCNN_PATIENCE": "10",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(image_store, "place", lambda *args: "files")
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    for place in range(2):
        file = packed(tmp_path / f"set/train-000{place}.tar", classes(12 * place, 12))
        client.upload_file(str(file), "bucket", f"set/{file.name}")
    yield client
    client.close()
    server.stop()
    blocks().close()
    monkeypatch.setattr("dotcnn.training.data.remote.remote_blocks._current", None)
    with warnings.catch_warnings():  # of sockets that others leave open
        warnings.simplefilter("ignore")
        gc.collect()


def test_a_bucket(tmp_path: Path, bucket: object) -> None:
    local = trained(tmp_path, '"set" val=25%', "local")
    remote = trained(tmp_path, '"s3://bucket/set" val=25%', "remote", workers=2)
    assert equal(last(local), last(remote))
    written = b"".join(each.read_bytes() for each in remote.rglob("*") if each.is_file())
    assert b"not-to-be-shown" not in written
    assert b"X-Amz" not in written


def test_what_is_wrong_in_a_bucket(tmp_path: Path, bucket: object) -> None:
    (first, _) = tar_files(["s3://bucket/set/*.tar"])
    with pytest.raises(SpecError, match=r"is the bucket's name right"):
        tar_files(["s3://none/set"])
    with pytest.raises(SpecError, match=r"is its name right"):
        tar_files(["s3://bucket/set/none.tar"])
    bucket.put_object(  # type: ignore[attr-defined]
        Bucket="bucket", Key="set/train-0000.tar", Body=b"x" * first.size
    )
    with pytest.raises(SpecError, match=r"train-0000\.tar has changed"):
        blocks().read(first, 0, 100)
