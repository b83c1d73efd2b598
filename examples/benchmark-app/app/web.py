"""The web server: what the queues have done, and new jobs for them."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from database import connect
from tables import TABLES


def counts():
    connection = connect("queue")
    with connection, connection.cursor() as cursor:
        found = {}
        for adapter, table in TABLES.items():
            cursor.execute(f"SELECT count(*), count(finished_at) FROM {table}")
            total, finished = cursor.fetchone()
            found[adapter] = {"jobs": total, "finished": finished}
    connection.close()
    return found


def enqueue(adapter, count):
    connection = connect("queue")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLES[adapter]} (enqueued_at) SELECT now() FROM generate_series(1, %s)", (count,)
        )
    connection.close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, counts())

    def do_POST(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        adapter, count = query.get("adapter"), query.get("count", "1")
        if url.path != "/jobs" or adapter not in TABLES or not count.isdigit():
            return self.answer(404, {"error": "POST /jobs?adapter=solidqueue|goodjob&count=N"})
        enqueue(adapter, int(count))
        return self.answer(202, {"enqueued": int(count)})

    def answer(self, status, data):
        body = json.dumps(data).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *values):
        print(form % values, flush=True)


def leave(_number, _frame):
    sys.exit(0)


signal.signal(signal.SIGTERM, leave)
signal.signal(signal.SIGINT, leave)
port = int(os.environ.get("PORT", "5000"))
server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
print(f"web is open at http://127.0.0.1:{port}", flush=True)
server.serve_forever()
