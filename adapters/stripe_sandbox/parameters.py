"""The parameters of the API: nested forms, typed and bounded, with Stripe's error messages."""

import re
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from adapters.stripe_sandbox.refusal import StripeRefusal
from domain.values import decimals, payable_decimals

MAX_FIELDS = 400
MAX_DEPTH = 6

_KEY = re.compile(r"([^\[\]]{1,64})((?:\[[^\[\]]{0,64}\])*)")
# PostgreSQL does not store NUL, and card networks refuse the other control characters.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _printable(text: str) -> str:
    if _CONTROLS.search(text):
        raise ValueError("control characters")
    return text


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(?:[/?#]\S*)?", text):
        raise ValueError("not a URL")
    return text


def _known_currency(text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError("unknown currency")
    return text


# The currencies in which Stripe accepts cards (https://docs.stripe.com/currencies).
_CODES = """
usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny
cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod
jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio
nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd
top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
"""
CURRENCIES = frozenset(_CODES.split())

Text = Annotated[str, AfterValidator(_printable)]
Address = Annotated[Text, StringConstraints(max_length=5000), AfterValidator(_web_address)]
Metadata = Annotated[
    dict[
        Annotated[Text, StringConstraints(min_length=1, max_length=40)],
        Annotated[Text, StringConstraints(max_length=500)],
    ],
    Field(max_length=50),
]
Amount = Annotated[int, Field(ge=0)]
ObjectId = Annotated[Text, StringConstraints(max_length=255)]
Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]
Expand = Annotated[list[Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z_]+){0,3}$")]], Field(max_length=10)]


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProductData(_Params):
    name: Annotated[Text, StringConstraints(min_length=1, max_length=250)]
    description: Annotated[Text, StringConstraints(min_length=1, max_length=1000)] | None = None


class PriceData(_Params):
    currency: Annotated[str, StringConstraints(to_lower=True), AfterValidator(_known_currency)]
    unit_amount: Amount
    product_data: ProductData


class LineItem(_Params):
    price_data: PriceData
    quantity: Annotated[int, Field(ge=1, le=999_999)] = 1


class PaymentIntentData(_Params):
    metadata: Metadata = {}
    description: Annotated[Text, StringConstraints(max_length=1000)] | None = None


class SessionParams(_Params):
    """The parameters for a checkout that the sandbox supports."""

    mode: Literal["payment"]
    line_items: Annotated[list[LineItem], Field(min_length=1, max_length=1)]
    success_url: Address
    cancel_url: Address | None = None
    client_reference_id: Annotated[Text, StringConstraints(max_length=200)] | None = None
    customer_email: Annotated[Text, StringConstraints(max_length=800)] | None = None
    expires_at: Seconds | None = None
    metadata: Metadata = {}
    payment_intent_data: PaymentIntentData = PaymentIntentData()
    submit_type: Literal["auto", "book", "donate", "pay"] | None = None
    expand: Expand = []

    def total(self) -> int:
        """Return the amount to pay; StripeRefusal if it is outside Stripe's bounds for the currency."""
        [item] = self.line_items
        total = item.quantity * item.price_data.unit_amount
        currency = item.price_data.currency.upper()
        has_thousandths = decimals(currency) == 3
        param = "line_items[0][price_data][unit_amount]"
        if total < (500 if has_thousandths else 50):
            raise StripeRefusal("The total amount is below the minimum.", code="amount_too_small", param=param)
        if total > 99_999_999:
            raise StripeRefusal("Amount must be no more than 99999999.", code="amount_too_large", param=param)
        if total % 10 ** (decimals(currency) - payable_decimals(currency)):
            raise StripeRefusal(
                "The last digits of this currency must be 0.", code="parameter_invalid_integer", param=param
            )
        return total


class RefundParams(_Params):
    payment_intent: ObjectId | None = None
    charge: ObjectId | None = None
    amount: Annotated[int, Field(ge=1)] | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None
    metadata: Metadata = {}
    expand: Expand = []


class RetrieveParams(_Params):
    expand: Expand = []


class CreatedRange(_Params):
    gt: Seconds | None = None
    gte: Seconds | None = None
    lt: Seconds | None = None
    lte: Seconds | None = None


class ListParams(_Params):
    """The paging and filter parameters of all lists."""

    limit: Annotated[int, Field(ge=1, le=100)] = 10
    starting_after: ObjectId | None = None
    created: CreatedRange | Seconds | None = None
    payment_intent: ObjectId | None = None
    charge: ObjectId | None = None
    source: ObjectId | None = None
    status: ObjectId | None = None
    type: ObjectId | None = None
    expand: Expand = []

    def created_bounds(self) -> dict[str, int]:
        match self.created:
            case None:
                return {}
            case CreatedRange():
                return self.created.model_dump(exclude_none=True)
            case second:
                return {"gte": second, "lte": second}

    def filters(self) -> dict[str, str]:
        names = {"payment_intent", "charge", "source", "status", "type"}
        return {name: value for name, value in self.model_dump(include=names).items() if value is not None}


AnyParams = TypeVar("AnyParams", bound=_Params)


def read(model: type[AnyParams], form: str) -> AnyParams:
    """Return the parameters in an encoded form; StripeRefusal if Stripe would refuse them."""
    try:
        return model.model_validate(_nested(form))
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> StripeRefusal:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    head, *rest = [str(part) for part in first["loc"]] or ["body"]
    param = head + "".join(f"[{part}]" for part in rest)
    match first["type"]:
        case "missing":
            return StripeRefusal(f"Missing required param: {param}.", code="parameter_missing", param=param)
        case "extra_forbidden":
            return StripeRefusal(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)
        case "string_too_short" | "too_short":
            return StripeRefusal("You passed an empty string.", code="parameter_invalid_empty", param=param)
        case kind if kind.startswith("int_") or "than" in kind:
            return StripeRefusal(f"Invalid integer: {param}", code="parameter_invalid_integer", param=param)
        case _:
            return StripeRefusal(f"Invalid value for {param}.", param=param)


def _nested(form: str) -> dict[str, object]:
    """Return `a[b][0]=c` as {"a": {"b": ["c"]}}."""
    try:
        pairs = parse_qsl(
            form, keep_blank_values=True, strict_parsing=bool(form), max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:
        raise StripeRefusal("The request's parameters cannot be read.") from None
    root: dict[str, Any] = {}
    for name, value in pairs:
        match = _KEY.fullmatch(name)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else []
        if not 1 <= len(path) <= MAX_DEPTH:
            raise StripeRefusal("The request's parameters are nested in an unknown way.")
        node = root
        for part in path[:-1]:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise StripeRefusal("The request's parameters contradict each other.", param=path[0])
        leaf = str(len(node)) if path[-1] == "" else path[-1]
        if leaf in node:
            raise StripeRefusal("The request's parameters contradict each other.", param=path[0])
        node[leaf] = value
    return {name: _listed(value) for name, value in root.items()}


def _listed(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if all(name == str(index) for index, name in enumerate(value)):
        return [_listed(child) for child in value.values()]
    return {name: _listed(child) for name, child in value.items()}
