-- The limits of an API key that replace the general ones, by their names, such as {"payment": "100/minute"}.
ALTER TABLE api_keys ADD COLUMN rate_limits jsonb NOT NULL DEFAULT '{}';
