-- A holder's thanks to a donor are a mail about a donation too; `refund_id` names the thanks then.
ALTER TABLE donor_emails DROP CONSTRAINT donor_notices_kind_check;
ALTER TABLE donor_emails
    ADD CONSTRAINT donor_emails_kind_check CHECK (kind IN ('receipt', 'refund', 'thanks'));
