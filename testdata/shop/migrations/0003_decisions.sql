-- Who is told what, once: a line for each model that was approved or rejected.
CREATE TABLE decisions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id   bigint NOT NULL REFERENCES models (id),
    verdict    text NOT NULL CHECK (verdict IN ('approved', 'rejected')),
    decided_at timestamptz NOT NULL DEFAULT now()
);
