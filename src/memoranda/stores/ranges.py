"""Sets of numbers as ascending ranges `[first, last]`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

__all__ = ['Ranges', 'collect', 'minus', 'push', 'size', 'union']

Ranges: TypeAlias = list[list[int]]


def collect(numbers: Iterable[int]) -> Ranges:
    """Ascending numbers."""
    found: Ranges = []
    for number in numbers:
        push(found, number)
    return found


def push(ranges: Ranges, number: int) -> None:
    """Add a number that is greater than all of them."""
    if ranges and ranges[-1][1] == number - 1:
        ranges[-1][1] = number
    else:
        ranges.append([number, number])


def union(parts: Iterable[list[int]]) -> Ranges:
    """The numbers of ranges in any order."""
    found: Ranges = []
    for first, last in sorted(parts):
        if last < first:
            continue
        if found and first <= found[-1][1] + 1:
            found[-1][1] = max(found[-1][1], last)
        else:
            found.append([first, last])
    return found


def minus(ranges: Ranges, others: Ranges) -> Ranges:
    """The numbers of the ones that are not in the others."""
    found: Ranges = []
    at = 0
    for first, last in ranges:
        number = first
        while at < len(others) and others[at][1] < number:
            at += 1
        i = at
        while i < len(others) and others[i][0] <= last:
            if others[i][0] > number:
                found.append([number, others[i][0] - 1])
            number = others[i][1] + 1
            i += 1
        if number <= last:
            found.append([number, last])
    return found


def size(ranges: Ranges) -> int:
    """How many numbers."""
    return sum(last - first + 1 for first, last in ranges)
