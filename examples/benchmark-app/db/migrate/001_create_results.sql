-- What jobs have done: each once, whoever worked on it.
CREATE TABLE results (
  adapter text NOT NULL,
  job_id bigint NOT NULL,
  worker text NOT NULL,
  done_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (adapter, job_id)
);
