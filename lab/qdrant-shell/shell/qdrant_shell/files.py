"""Small file helpers: durable writes, checksums, sparse archives."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .errors import service_error

TAR = shutil.which("tar") or "/usr/bin/tar"


def write_durably(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def create_durably(path: Path) -> None:
    with open(path, "wb") as file:
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def pack(archive: Path, folder: Path, entries: Sequence[str]) -> None:
    """GNU tar with sparse entries, as the server's: its 32 MiB write-ahead log files are almost all holes."""
    await _tar(
        "--format=gnu", "--sparse", "--create", f"--file={archive}", f"--directory={folder}", "--", *entries
    )


async def unpack(archive: Path, folder: Path) -> None:
    await _tar("--extract", f"--file={archive}", f"--directory={folder}", "--no-same-owner")


async def _tar(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        TAR, *arguments, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, problem = await process.communicate()
    if process.returncode != 0:
        raise service_error(
            f"IO Error: Failed to read tar archive: {problem.decode(errors='replace').strip()}"
        )
