-- The knowledge base: texts that help is given from, and the chunks of them that a search finds. No part of the history:
-- they are about no ticket, and an admin may take them away again.
CREATE TABLE knowledge_sources (
    id         uuid        PRIMARY KEY,
    type       text        NOT NULL CHECK (type IN ('DOC', 'URL', 'NOTE', 'IMPORT')),
    title      text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX knowledge_sources_newest ON knowledge_sources (created_at DESC, id DESC);

-- Each chunk is indexed twice: by the stems of its words, and by the words as they stand, so that names, other
-- languages and words that English leaves out are found too.
CREATE TABLE knowledge_chunks (
    source  uuid     NOT NULL REFERENCES knowledge_sources ON DELETE CASCADE,
    number  integer  NOT NULL,
    content text     NOT NULL,
    english tsvector NOT NULL,
    simple  tsvector NOT NULL,
    PRIMARY KEY (source, number)
);

CREATE INDEX knowledge_chunks_english ON knowledge_chunks USING gin (english);
CREATE INDEX knowledge_chunks_simple ON knowledge_chunks USING gin (simple);
