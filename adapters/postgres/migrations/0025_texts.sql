-- Text messages wait in the outbox, too.
ALTER TABLE outbox ADD COLUMN channel text NOT NULL DEFAULT 'mail' CHECK (channel IN ('mail', 'text'));

-- The text messages of a day. Number and asker are keyed hashes.
CREATE TABLE counted_texts (
    number_hash text        NOT NULL,
    asker       text,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX counted_texts_by_time ON counted_texts (created_at);

-- The kinds of news that a person does not want, by a keyed hash of the address or number.
CREATE TABLE unwanted_news (
    address_hash text        NOT NULL,
    news         text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (address_hash, news)
);
