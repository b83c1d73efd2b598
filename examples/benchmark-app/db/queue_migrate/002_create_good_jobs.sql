CREATE TABLE good_jobs (
  id bigserial PRIMARY KEY,
  enqueued_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX good_job_ready ON good_jobs (id) WHERE finished_at IS NULL;

-- Workers hear of new jobs and need not look for them.
CREATE FUNCTION tell_good_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NOTIFY good_job;
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON good_jobs FOR EACH STATEMENT EXECUTE FUNCTION tell_good_job();
