-- The reminders to one member, whose keys end with the id of the member, are found to be deleted.
CREATE INDEX outbox_of_reminded_member ON outbox (right(key, 36)) WHERE kind IN ('dispute_due', 'ticket_due');
