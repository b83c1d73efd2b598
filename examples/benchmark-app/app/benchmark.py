"""Puts jobs into each queue and tells how soon each adapter has done them."""

import sys
import time

from database import connect
from tables import TABLES

PATIENCE = 60.0

count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
connection = connect("queue")
connection.autocommit = True
with connection.cursor() as cursor:
    for adapter, table in TABLES.items():
        begun = time.monotonic()
        cursor.execute(
            f"INSERT INTO {table} (enqueued_at) SELECT now() FROM generate_series(1, %s)", (count,)
        )
        while True:
            cursor.execute(f"SELECT count(*) FROM {table} WHERE finished_at IS NULL")
            (waiting,) = cursor.fetchone()
            if waiting == 0:
                break
            if time.monotonic() - begun > PATIENCE:
                sys.exit(f"{adapter}: {waiting} jobs are not done; does `make dev` run?")
            time.sleep(0.01)
        cursor.execute("SELECT count(*) FROM results WHERE adapter = %s", (adapter,))
        print(f"{adapter}: {count} jobs in {time.monotonic() - begun:.2f} s, {cursor.fetchone()[0]} results in all")
