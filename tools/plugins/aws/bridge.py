"""Calls AWS through the official SDK on behalf of the test-only provider plugin.

One JSON document a line on stdin: {id, service, region, operation, params, as?}; `operation` in boto3's spelling, `as` the
credentials {accessKey, secretKey, sessionToken?} of somebody else than the account's owner. One a line on stdout, in any order: {id, result} or {id, error: {code, message}}. Binary values travel as {"$base64": "…"}.
"""

import base64
import datetime
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
OWNER = {"accessKey": "test", "secretKey": "test"}
clients: dict[tuple[str, str, str], object] = {}
making = Lock()
telling = Lock()


def client(service: str, region: str, who: dict):
    key = service, region, who["accessKey"]
    with making:
        if key not in clients:
            clients[key] = boto3.client(
                service,
                region_name=region,
                endpoint_url=endpoint,
                aws_access_key_id=who["accessKey"],
                aws_secret_access_key=who["secretKey"],
                aws_session_token=who.get("sessionToken"),
                config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 3}, max_pool_connections=16),
            )
        return clients[key]


def incoming(value):
    if isinstance(value, dict):
        if set(value) == {"$base64"}:
            return base64.b64decode(value["$base64"])
        return {key: incoming(inner) for key, inner in value.items()}
    return [incoming(inner) for inner in value] if isinstance(value, list) else value


def outgoing(value):
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return {"$base64": base64.b64encode(value).decode()}
    if hasattr(value, "read"):
        return {"$base64": base64.b64encode(value.read()).decode()}
    raise TypeError(f"no JSON for {type(value)}")


def answer(request: dict) -> None:
    try:
        call = getattr(client(request["service"], request["region"], request.get("as") or OWNER), request["operation"])
        told = {"result": call(**incoming(request["params"]))}
    except ClientError as error:
        told = {"error": {"code": error.response["Error"]["Code"], "message": str(error)}}
    except Exception as error:  # parameters that the SDK refuses, a server that is gone
        told = {"error": {"code": type(error).__name__, "message": str(error)}}
    line = json.dumps({"id": request["id"], **told}, default=outgoing)
    with telling:
        print(line, flush=True)


# One after the other: the emulator's tables are not made for more.
with ThreadPoolExecutor(max_workers=1) as pool:
    for line in sys.stdin:
        pool.submit(answer, json.loads(line))
