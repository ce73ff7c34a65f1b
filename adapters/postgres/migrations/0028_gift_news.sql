-- What holders are to be told of gifts: ids alone. A row with a week is about all gifts of that week. It waits until the
-- read models have reached its position.
CREATE TABLE gift_news (
    ticket_id uuid   NOT NULL,
    position  bigint NOT NULL,
    week      date
);

CREATE INDEX gift_news_by_position ON gift_news (position);
CREATE INDEX gift_news_of_ticket ON gift_news (ticket_id);

-- The weeks, by their Monday, whose gifts were noted for their holders.
CREATE TABLE told_weeks (
    week     date        PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT now()
);
