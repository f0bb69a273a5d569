"""A stand-in for S3 on loopback, and how clients find it."""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import fsspec
import requests
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class Bucket:
    """A bucket of one's own; ``settings`` is what the environment of its clients has to hold."""

    name: str
    settings: dict[str, str]
    filesystem: AbstractFileSystem

    @property
    def url(self) -> str:
        """Where the bridge may keep its files."""
        return f"s3://{self.name}/bridge"

    def files(self) -> dict[str, bytes]:
        """Return all that lies there, by its name below the URL."""
        self.filesystem.invalidate_cache()
        names = self.filesystem.find(f"{self.name}/bridge")
        return {name.removeprefix(f"{self.name}/bridge/"): self.filesystem.cat_file(name) for name in names}

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse all credentials for a while."""
        switch = f"{self.settings['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
        requests.post(switch, data="0", timeout=10)
        yield
        requests.post(switch, data="inf", timeout=10)


@contextmanager
def bucket() -> Iterator[Bucket]:
    """Serve an empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # which has a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        key, secret, endpoint = "a-key", "a-secret", f"http://{host}:{port}"
        filesystem = fsspec.filesystem("s3", key=key, secret=secret, endpoint_url=endpoint, skip_instance_cache=True)
        name = f"bucket-{secrets.token_hex(4)}"
        filesystem.mkdir(name)
        settings = {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
        }
        yield Bucket(name, settings, filesystem)
    finally:
        server.stop()
        # What fsspec keeps for the next who asks for S3 would go on asking this server.
        fsspec.get_filesystem_class("s3").clear_instance_cache()
