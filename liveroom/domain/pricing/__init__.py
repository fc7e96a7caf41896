"""What a cart costs and why: offers and carts in, a quote that explains itself out.

Prices, thresholds and amounts are integer fen. A quote depends on what is in the cart and
which offers there are, never on the order in which they were added; the same function makes
the quote, the checkout and the invoice.
"""

from liveroom.domain.pricing.carts import CartLine, GiftLine
from liveroom.domain.pricing.offers import AmountOff, Offer, PercentOff, Phase, Scope, Stacking
from liveroom.domain.pricing.points import PointsRule, points_worth
from liveroom.domain.pricing.quotes import NotUsed, Quote, QuotedLine, Saving, quote

__all__ = [
    "AmountOff",
    "CartLine",
    "GiftLine",
    "NotUsed",
    "Offer",
    "PercentOff",
    "Phase",
    "PointsRule",
    "Quote",
    "QuotedLine",
    "Saving",
    "Scope",
    "Stacking",
    "points_worth",
    "quote",
]
