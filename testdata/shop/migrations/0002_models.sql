CREATE TABLE models (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id    bigint NOT NULL REFERENCES users (id),
    name        text NOT NULL,
    price_cents bigint NOT NULL CHECK (price_cents >= 0),
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (owner_id, name)
);

INSERT INTO models (owner_id, name, price_cents, status)
SELECT id, 'Analytical Engine', 125000, 'approved' FROM users WHERE email = 'ada@example.com';
