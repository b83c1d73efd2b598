"""A worker of the shop: takes an order, computes its invoice, writes it down."""
import json
import os
import signal
import time

import shop

TAX = int(os.environ.get("SHOP_TAX", "20"))
asked_to_stop = False


def stop(*_):
    """What was begun is finished first."""
    global asked_to_stop
    asked_to_stop = True


def take():
    """The oldest order, if there is one; other workers take theirs at the same time."""
    for path in sorted(shop.NEW.iterdir()):
        mine = shop.TAKEN / shop.WORKER / path.name
        try:
            path.rename(mine)
        except FileNotFoundError:
            continue
        return mine
    return None


def bill(path):
    order = shop.read(path)
    net = shop.GOODS[order["item"]] * order["count"]
    total = net + net * TAX // 100
    time.sleep(0.2 + 0.05 * order["count"])     # packing takes its time
    text = f"{order['count']} × {order['item']}"
    invoice = {"id": order["id"], "text": text, "total": shop.euro(total), "worker": shop.WORKER}
    shop.write(shop.DONE / order["id"], json.dumps(invoice))
    path.unlink()
    print(f"invoice {order['id']}: {text}, {shop.euro(net)} + {TAX} % = {shop.euro(total)}")


shop.prepare()
signal.signal(signal.SIGTERM, stop)
for left in sorted((shop.TAKEN / shop.WORKER).iterdir()):     # from a life that ended too soon
    print(f"going on with {left.name}")
    bill(left)
print("ready for orders")
while not asked_to_stop:
    order = take()
    if order:
        bill(order)
    else:
        time.sleep(0.2)
print("stopped; nothing half done")
