"""METG(50 %): the smallest task that a runtime runs at half of the peak.

As in Slaughter et al., "Task Bench" (SC20), section 4: the kernel's iterations
go down from task to task size by a factor until the efficiency falls below one
half; the size at which it does is interpolated. The granularity of a point is
elapsed time x cores / tasks, its efficiency flop/s / the measured peak.
"""

import math

FACTOR = 4  # from one point of the sweep to the next
HALVINGS = 2  # of the bracket, in the logarithm of the iterations
TARGET = 0.5


class Sweep:
    """Asks for points one after another: ask next(), tell add(), until next()
    is None; then result() is the METG in microseconds, or None."""

    def __init__(self, peak, cores, start, give_up_us):
        """peak: flop/s of all cores; start: iterations of the first point;
        give_up_us: a granularity at which a runtime still below the target is
        not asked for larger tasks."""
        self.peak = peak
        self.cores = cores
        self.start = max(1, int(start))
        self.give_up_us = give_up_us
        self.points = {}  # iterations: (granularity in us, efficiency)

    def add(self, iterations, elapsed, tasks, flops):
        """One point: seconds for so many tasks of so many flops in all."""
        self.points[iterations] = (
            elapsed * self.cores / tasks * 1e6,
            flops / elapsed / self.peak,
        )

    def bracket(self):
        """The smallest point that reaches the target and the largest below
        that one that does not; None for what is not there."""
        good = [n for n, point in self.points.items() if point[1] >= TARGET]
        high = min(good) if good else None
        bad = [
            n
            for n, point in self.points.items()
            if point[1] < TARGET and (high is None or n < high)
        ]
        return (max(bad) if bad else None), high

    def next(self):
        """Iterations of the next point to measure; None at the end."""
        if not self.points:
            return self.start
        low, high = self.bracket()
        if high is None:
            if self.points[low][0] > self.give_up_us:
                return None
            return low * FACTOR
        if low is None:
            return max(1, high // FACTOR) if high > 1 else None
        # FACTOR apart, then its square root, then its fourth root.
        if math.log(high / low, FACTOR) <= 1.01 / 2**HALVINGS:
            return None
        middle = round(math.sqrt(high * low))
        return middle if low < middle < high else None

    def result(self):
        """Linear in the efficiency between the bracket's two points."""
        low, high = self.bracket()
        if low is None or high is None:
            return None
        below, above = self.points[low], self.points[high]
        share = (TARGET - below[1]) / (above[1] - below[1])
        return below[0] + share * (above[0] - below[0])

    def beyond(self):
        """What the METG is at least, where it was given up."""
        return max(point[0] for point in self.points.values())
