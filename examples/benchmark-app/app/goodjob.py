"""A stand-in for GoodJob: it listens, and looks only when there is something."""

from database import connect
from worker import Worker

worker = Worker("goodjob", "good_jobs")
listening = connect("queue")
listening.autocommit = True
with listening.cursor() as cursor:
    cursor.execute("LISTEN good_job")
worker.say("goodjob listens for jobs")
while not worker.stopping:
    # What came before it listened is there already.
    done = worker.work()
    if done:
        worker.say(f"{done} jobs done")
    worker.wait(also=[listening])
    listening.poll()
    listening.notifies.clear()
worker.end()
