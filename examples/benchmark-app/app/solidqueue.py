"""A stand-in for SolidQueue: it looks for jobs again and again."""

from worker import Worker

POLLING_INTERVAL = 0.2

worker = Worker("solidqueue", "solid_queue_jobs")
worker.say("solidqueue polls for jobs")
while not worker.stopping:
    done = worker.work()
    if done:
        worker.say(f"{done} jobs done")
    worker.wait(POLLING_INTERVAL)
worker.end()
