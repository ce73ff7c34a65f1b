"""An S3 store for the tests: moto's server in its own environment, which is made once from its lock file.

It cannot use the service's environment, because it needs other versions of the same packages. As a program, this
module only makes the environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from adapters.postgres.embedded.locks import EXCLUSIVE, FileLock
from tests.client import eventually, free_port

# The store's own limit is 1000, which takes many objects to exceed.
LISTED_AT_ONCE = 10
LOCK = Path(__file__).parent / "requirements.lock"
HOME = Path(__file__).parents[3] / ".venv" / "s3"
# The server of the tests accepts any credentials.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}


def program() -> Path:
    """Return the path of the server's program. Its environment is rebuilt if the lock file has changed."""
    lock_digest, digest_file = hashlib.sha256(LOCK.read_bytes()).hexdigest(), HOME / ".made"
    HOME.parent.mkdir(exist_ok=True)
    lock = FileLock(HOME.with_suffix(".lock"))
    if not lock.acquire(EXCLUSIVE, 300):
        raise TimeoutError(f"{HOME} is being made by another run")
    try:
        if not digest_file.exists() or digest_file.read_text() != lock_digest:
            shutil.rmtree(HOME, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", HOME], check=True)
            # With the pip of this environment, because to install another one takes seconds.
            pip = [sys.executable, "-m", "pip", "--python", HOME / "bin" / "python", "--disable-pip-version-check"]
            subprocess.run([*pip, "install", "--quiet", "--no-compile", "--require-hashes", "-r", LOCK], check=True)
            digest_file.write_text(lock_digest)
    finally:
        lock.release()
    return HOME / "bin" / "moto_server"


class S3Server:
    """A running store; stopping it deletes its objects."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [program(), "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            env={
                "PATH": os.environ["PATH"],
                "MOTO_S3_CUSTOM_ENDPOINTS": self.url,
                "MOTO_S3_DEFAULT_MAX_KEYS": str(LISTED_AT_ONCE),
            },
        )
        eventually(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "moto_server ended"
        try:
            return httpx2.get(self.url + "/moto-api/", verify=False, timeout=60).status_code == 200
        except httpx2.TransportError:
            return False

    def make_bucket(self, name: str) -> None:
        assert httpx2.put(f"{self.url}/{name}", verify=False, timeout=60).status_code == 200

    def uploads(self, bucket: str) -> str:
        """Return the store's list of incomplete uploads."""
        return httpx2.get(f"{self.url}/{bucket}?uploads", verify=False, timeout=60).text

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    server = S3Server()
    try:
        yield server
    finally:
        server.stop()


if __name__ == "__main__":
    program()
