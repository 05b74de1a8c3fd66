"""Fetches a snapshot from a URL. Any certificate is accepted, as by a server without `ca_cert`."""

import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from .errors import service_error


def fetch(url: str, target: Path, api_key: str | None) -> None:
    # urllib repeats the headers on redirects, so the key goes wherever the source points: so it does upstream
    request = urllib.request.Request(url, headers={} if api_key is None else {"api-key": api_key})
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, context=context) as response, open(target, "wb") as file:
            shutil.copyfileobj(response, file, 1 << 20)
    except (urllib.error.URLError, OSError) as error:
        raise service_error(f"Failed to download snapshot from {url}: {error}") from error
