"""The service's secrets: given in production, otherwise those that its data folder keeps for itself."""

from __future__ import annotations

from adapters.proof.checkpoints import Signer, origin_of
from entrypoints.composition.generated_secrets import GeneratedSecrets
from entrypoints.composition.settings import Settings


class Secrets:
    """`master` wraps the tickets' keys and `peppers` key the hashes of people, each the present one first.

    `webhooks` sign what Stripe tells us. What is None does not exist: outside of development there is no admin key but
    those that were made with `keys create`, and without the sandbox none of its keys.
    """

    def __init__(self, settings: Settings) -> None:
        generated = None if settings.production else GeneratedSecrets(settings.data_dir)
        self.master = master_keys(settings)
        self.peppers = settings.email_pepper or ((generated["email_pepper"],) if generated else ())
        self.admin_key = generated["admin_key"] if generated else None
        self.webhooks = settings.stripe_webhook_secret
        self.sandbox_key: str | None = None
        if settings.sandbox:
            assert generated is not None
            self.sandbox_key = generated["sandbox_key"]
            self.webhooks = (generated["webhook_secret"], *self.webhooks)


def master_keys(settings: Settings) -> tuple[str, ...]:
    """What wraps the tickets' keys, the present secret first: given, or that of a data folder in development."""
    if settings.master_key or settings.production:
        return settings.master_key
    return (GeneratedSecrets(settings.data_dir)["master_key"],)


def signer(settings: Settings) -> Signer:
    """Signs in the name of this service's log."""
    secrets = settings.checkpoint_key
    if not secrets and not settings.production:
        secrets = (GeneratedSecrets(settings.data_dir)["checkpoint_key"],)
    return Signer(secrets, origin_of(settings.public_url))
