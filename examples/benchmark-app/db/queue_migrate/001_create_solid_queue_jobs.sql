CREATE TABLE solid_queue_jobs (
  id bigserial PRIMARY KEY,
  enqueued_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX solid_queue_ready ON solid_queue_jobs (id) WHERE finished_at IS NULL;
