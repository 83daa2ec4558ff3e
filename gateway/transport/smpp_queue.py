"""What waits in memory for a bind: in the order of arrival, those of a higher priority_flag before others."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from gateway.transport.smpp_submission import Submission


class Queue:
    """Those without priority, nearly all, are in a plain queue; the others go before them."""

    def __init__(self) -> None:
        self._plain: deque[Submission] = deque()
        self._urgent: list[tuple[int, int, Submission]] = []  # heap: priority, the highest first, then age
        self._last = 0
        self._first = 0

    def __len__(self) -> int:
        return len(self._plain) + len(self._urgent)

    def put(self, submission: Submission) -> None:
        priority = submission.pdus[0].priority_flag
        if priority:
            self._last += 1
            heappush(self._urgent, (-priority, self._last, submission))
        else:
            self._plain.append(submission)

    def take(self) -> Submission:
        """The next one.  Raises IndexError when there is none."""
        return heappop(self._urgent)[2] if self._urgent else self._plain.popleft()

    def put_back(self, submission: Submission) -> None:
        """One that was taken: before all others of its priority."""
        priority = submission.pdus[0].priority_flag
        if priority:
            self._first -= 1
            heappush(self._urgent, (-priority, self._first, submission))
        else:
            self._plain.appendleft(submission)

    def clear(self) -> list[Submission]:
        """Take all."""
        return [self.take() for _ in range(len(self))]
