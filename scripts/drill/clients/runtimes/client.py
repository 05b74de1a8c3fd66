"""Clients as a Python program has them: `client.py requests` is a requests.Session, `client.py httpx` an httpx.Client with
the limits that the OpenAI SDK gives it. How a drill talks with it is told in runtime-client.ts."""

import json
import math
import os
import platform
import sys
import threading
import time

LIBRARY = sys.argv[1]
URL = os.environ["DRILL_URL"]
BODY = os.environ["DRILL_BODY"].encode()
CA_FILE = os.environ.get("DRILL_CA_FILE")
PERIOD = float(os.environ["DRILL_PERIOD_MS"]) / 1000
TIMEOUT = float(os.environ["DRILL_TIMEOUT_MS"]) / 1000
MAX_IN_FLIGHT = math.ceil(TIMEOUT / PERIOD) + 1


def requests_client():
    import requests

    session = requests.Session()
    if CA_FILE:
        session.verify = CA_FILE
    return requests.__version__, lambda headers: session.post(URL, data=BODY, headers=headers, timeout=TIMEOUT)


def httpx_client():
    import ssl

    import httpx

    client = httpx.Client(
        verify=ssl.create_default_context(cafile=CA_FILE) if CA_FILE else True,
        limits=httpx.Limits(max_connections=1000, max_keepalive_connections=100),
        follow_redirects=True,
    )
    return httpx.__version__, lambda headers: client.post(URL, content=BODY, headers=headers, timeout=TIMEOUT)


class Beat:
    def __init__(self, send, key, clock_ms):
        self.send = send
        self.headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self.offset = clock_ms / 1000 - time.monotonic()
        self.lock = threading.Lock()
        self.open = {}
        self.seq = 0

    def now(self):
        return (self.offset + time.monotonic()) * 1000

    def tick(self):
        with self.lock:
            if len(self.open) >= MAX_IN_FLIGHT:
                return
            attempt = {"seq": self.seq, "start": self.now()}
            self.seq += 1
            # Neither library has a deadline for a whole request: theirs count for connecting and for each read, and none
            # for looking the name up. A request that is late has failed, whatever its thread still waits for.
            watch = threading.Timer(TIMEOUT, self.end, (attempt, failed(f"TIMEOUT: no answer within {TIMEOUT * 1000:.0f} ms")))
            watch.daemon = True
            self.open[attempt["seq"]] = watch
            tell(attempt)
        watch.start()
        threading.Thread(target=self.ask, args=(attempt,), daemon=True).start()

    def ask(self, attempt):
        try:
            outcome = judge(self.send(self.headers))
        except Exception as error:  # whatever a library throws is the outcome of this request
            outcome = failed(f"{type(error).__name__}: {error}"[:400])
        self.end(attempt, outcome)

    def end(self, attempt, outcome):
        with self.lock:
            watch = self.open.pop(attempt["seq"], None)
            if watch is None:
                return
            watch.cancel()
            tell({**attempt, "end": self.now(), **outcome})


def judge(response):
    answer = {"status": response.status_code, "site": response.headers.get("x-failover-site")}
    if response.status_code != 200:
        return {**answer, "ok": False, "error": f"{response.status_code}: {response.text[:200]}"}
    body = response.json()
    ok = isinstance(body, dict) and isinstance(body.get("choices"), list)
    return {**answer, "ok": ok, "error": None if ok else "the answer has no choices"}


def failed(error):
    return {"ok": False, "status": None, "site": None, "error": error}


def tell(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main():
    version, send = {"requests": requests_client, "httpx": httpx_client}[LIBRARY]()
    tell({"ready": f"Python {platform.python_version()}, {LIBRARY} {version}"})
    key = sys.stdin.readline().rstrip("\n")
    clock = sys.stdin.readline()
    if clock == "":
        return
    beat = Beat(send, key, float(clock))
    stopping = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopping.set()), daemon=True).start()
    due = time.monotonic()
    while not stopping.wait(max(0, due - time.monotonic())):
        beat.tick()
        due = max(due + PERIOD, time.monotonic())
    while beat.open:  # each ends at its deadline
        time.sleep(0.02)
    # Threads may still wait for what nobody wants to know any more.
    sys.stdout.flush()
    os._exit(0)


main()
