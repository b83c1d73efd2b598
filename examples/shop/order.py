"""Places one order: order.py ADDRESS ITEM COUNT."""
import sys
import urllib.error
import urllib.parse
import urllib.request

address, item, count = sys.argv[1:]
data = urllib.parse.urlencode({"item": item, "count": count}).encode()
try:
    with urllib.request.urlopen(f"{address}/order", data, timeout=5) as answer:
        print(f"ordered {count} × {item}, number {answer.read().decode().strip()}")
except urllib.error.HTTPError as error:
    print(f"no {item}: {error.read().decode().strip()}")
except OSError as error:
    print(f"nobody answers at {address}: {error}")
