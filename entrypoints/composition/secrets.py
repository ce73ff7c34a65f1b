"""The secrets of the service: from the settings, or in development generated in the data folder."""

from adapters.proof.checkpoints import Signer, origin_of
from entrypoints.composition.generated_secrets import SECRETS_FILE, GeneratedSecrets
from entrypoints.composition.settings import NoDataError, Settings


class Secrets:
    """Master keys and e-mail peppers, the current one first, and webhook secrets.

    `admin_key` is None in production, and `sandbox_key` is None without the sandbox.
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
    """Return the master keys, the current one first; in development the generated one if none is set."""
    if settings.master_key or settings.production:
        return settings.master_key
    return (GeneratedSecrets(settings.data_dir)["master_key"],)


def existing_signer(settings: Settings) -> Signer:
    """Return the signer of this service's checkpoints; NoDataError if its key would have to be generated first."""
    is_set = settings.checkpoint_key or settings.production
    if not is_set and not (settings.data_dir / SECRETS_FILE).exists():
        raise NoDataError(settings.data_dir)
    return signer(settings)


def signer(settings: Settings) -> Signer:
    """Return the signer of this service's checkpoints."""
    secrets = settings.checkpoint_key
    if not secrets and not settings.production:
        secrets = (GeneratedSecrets(settings.data_dir)["checkpoint_key"],)
    return Signer(secrets, origin_of(settings.public_url))
