"""What both adapters have in common: a job is taken, done and marked in one transaction, so it is done once."""

import os
import select
import signal
import sys

from database import connect

NAME = os.environ.get("GANGER_WORKER") or os.environ.get("PS", "worker")


class Worker:
    """Takes jobs from a table of the `queue` connection until it is told to stop."""

    def __init__(self, adapter, table):
        self.adapter, self.table = adapter, table
        self.connection = connect("queue")
        # A signal makes this readable, so that a wait ends at once and a job never breaks off.
        self.told, tell = os.pipe()
        os.set_blocking(tell, False)
        signal.set_wakeup_fd(tell)
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)

    def stop(self, _number, _frame):
        self.stopping = True

    def work(self):
        """Does what is there; gives how many jobs that were."""
        done = 0
        while not self.stopping and self.one():
            done += 1
        return done

    def one(self):
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id FROM {self.table} WHERE finished_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            job = cursor.fetchone()
            if job is None:
                return False
            cursor.execute("INSERT INTO results VALUES (%s, %s, %s)", (self.adapter, job[0], NAME))
            cursor.execute(f"UPDATE {self.table} SET finished_at = now() WHERE id = %s", job)
        return True

    def wait(self, timeout=None, also=()):
        """Until something is there, the time is over or a signal has come."""
        if not self.stopping:
            select.select([self.told, *also], [], [], timeout)

    def say(self, text):
        print(text, flush=True)

    def end(self):
        self.say("nothing half done")
        self.connection.close()
        sys.exit(0)
