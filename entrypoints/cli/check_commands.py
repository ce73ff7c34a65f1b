"""The commands that look for faults in the installation; each imports its code when it runs."""

import typer

from entrypoints.cli.key_commands import Json

stripe = typer.Typer(
    help="Check the set-up of Stripe.", epilog="Example: storyledger stripe check", no_args_is_help=True
)


def doctor(json: Json = False) -> None:
    """Show what is set, reachable, missing or odd.

    Each line of the table has a state: ok, off, odd, missing or unreachable. The last three need a person, and with any
    of them the command exits with 1. No secret is shown, and nothing is changed.
    """
    from entrypoints.cli import doctor as diagnosis

    diagnosis.doctor(json)


@stripe.command("check", epilog="Example: storyledger stripe check")
def stripe_check(json: Json = False) -> None:
    """Check that Stripe sends every needed event.

    The endpoint with the address of this service is looked up at Stripe. A restricted key needs read access to Webhook
    Endpoints. The sandbox needs no endpoint.
    """
    from entrypoints.cli import doctor as diagnosis

    diagnosis.check_stripe_endpoint(json)
