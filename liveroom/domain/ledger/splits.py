"""Dividing an amount exactly: largest remainder, and over many small amounts fairly too."""

from collections.abc import Sequence


def split(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divide an amount by weights so that the parts sum to it exactly (largest remainder).

    Each part differs from its ideal by less than one; of equal remainders the earlier
    weight gets the unit that is left over.
    """
    parts, _ = split_fairly(amount, weights, (0,) * len(weights))
    return parts


def split_fairly(
    amount: int, weights: Sequence[int], carry: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Divide an amount, making good what earlier roundings gave to others.

    Always giving the spare unit to the same one starves the rest over many small splits
    (one coin at 70/30 would be the host's each time). `carry` is what each is owed from
    before, in units of one over the sum of weights, all zero at first.

    Returns:
        The parts, each less than one from its ideal, and the carry for the next split. It
        sums to zero; between two it stays below one unit, whatever the amounts.

    """
    total = sum(weights)
    if amount < 0 or total <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("split takes a non-negative amount and weights with a positive sum")
    if len(carry) != len(weights) or sum(carry) != 0:
        raise ValueError("a carry has one entry for each weight and sums to zero")
    parts = [amount * weight // total for weight in weights]
    broken = [amount * weight % total for weight in weights]
    owed = [left + before for left, before in zip(broken, carry, strict=True)]
    due = sorted((index for index, left in enumerate(broken) if left), key=lambda i: (-owed[i], i))
    for index in due[: amount - sum(parts)]:
        parts[index] += 1
        owed[index] -= total
    return tuple(parts), tuple(owed)
