"""The sandbox's refusals: errors in Stripe's format for the library, and domain errors for all other callers."""

from typing import Any

from domain.errors import RefusedError


class StripeRefusal(RefusedError):
    """A request that Stripe would refuse, with the status, type, code and parameter of its answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.code = code
        self.param = param

    def body(self) -> dict[str, object]:
        """Return the error in Stripe's format."""
        error: dict[str, Any] = {"message": str(self), "type": self.type}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


def missing(kind: str, id: str) -> StripeRefusal:
    """Return Stripe's refusal for an unknown id."""
    return StripeRefusal(f"No such {kind}: '{id}'", status=404, code="resource_missing", param="id")
