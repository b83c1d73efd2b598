"""The table of each adapter, in the `queue` connection."""

TABLES = {"solidqueue": "solid_queue_jobs", "goodjob": "good_jobs"}
