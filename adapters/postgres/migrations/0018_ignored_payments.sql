-- Other business may turn out to be ours, when the checkout of its payment is known. `payment_id` is the payment under which
-- an object was ignored; with the payment, all that was ignored under it is retrieved from Stripe.
ALTER TABLE stripe_links ADD COLUMN payment_id text;
CREATE INDEX stripe_links_ignored ON stripe_links (payment_id) WHERE ticket_id IS NULL;

-- The body of a dismissed event is dropped, so its object is noted: reconciliation leaves it out for good.
ALTER TABLE stripe_inbox ADD COLUMN dismissed_object_id text;
CREATE INDEX stripe_inbox_dismissed ON stripe_inbox (dismissed_object_id) WHERE dismissed_object_id IS NOT NULL;
