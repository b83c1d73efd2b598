"""The shop's web server: GET / shows what goes on, POST /order takes an order."""
import http.server
import itertools
import json
import os
import signal
import sys
import time
import urllib.parse

import shop

KEPT = 100      # invoices; older ones are thrown away
numbers = itertools.count(1)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        done = sorted(shop.DONE.iterdir(), reverse=True)
        for old in done[KEPT:]:
            old.unlink(missing_ok=True)
        waiting = sum(1 for _ in shop.NEW.iterdir())
        lines = [f"{waiting} orders waiting, {len(done[:KEPT])} invoices"]
        for path in done[:20]:
            invoice = shop.read(path)
            lines.append(f"{invoice['id']}  {invoice['total']:>8}  by {invoice['worker']}: {invoice['text']}")
        self.answer(200, "\n".join(lines) + "\n")

    def do_POST(self):
        length = min(int(self.headers.get("Content-Length") or 0), 4096)
        form = urllib.parse.parse_qs(self.rfile.read(length).decode("utf-8", "replace"))
        item, count = form.get("item", [""])[0], form.get("count", ["1"])[0]
        if self.path != "/order" or item not in shop.GOODS or not count.isdigit() or not 0 < int(count) < 1000:
            print(f"refused an order of {count[:20]!r} × {item[:20]!r}")
            return self.answer(400, f"we sell {', '.join(shop.GOODS)}\n")
        name = f"{time.time_ns() // 1_000_000}-{next(numbers)}"
        shop.write(shop.NEW / name, json.dumps({"id": name, "item": item, "count": int(count)}))
        print(f"order {name}: {count} × {item}")
        return self.answer(202, f"{name}\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Orders are what is worth a line."""


def stop(*_):
    shop.ADDRESS.unlink(missing_ok=True)
    print("closed")
    sys.exit(0)


shop.prepare()
signal.signal(signal.SIGTERM, stop)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "5000"))), Page)
server.daemon_threads = True
address = f"http://127.0.0.1:{server.server_port}"
shop.write(shop.ADDRESS, address + "\n")
print(f"open at {address}")
server.serve_forever()
