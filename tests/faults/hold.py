"""A fault that stops a request half-way, so that something can be done meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.faults.proxy import PATIENCE, Answer

if TYPE_CHECKING:
    from tests.faults.proxy import Wire


class Hold:
    """Stops a request before it is answered; or once it was ``taken``, or in the middle (``half``) of its answer."""

    def __init__(self, *, taken: bool = False, half: bool = False) -> None:
        self._taken, self._half = taken, half
        self._reached, self._go_on = threading.Event(), threading.Event()

    def __call__(self, wire: Wire) -> None:
        answer = wire.ask() if self._taken or self._half else Answer()
        if self._half:
            wire.reply(Answer(body=answer.body[: len(answer.body) // 2]), claimed=len(answer.body))
        self._reached.set()
        self._go_on.wait(PATIENCE)
        if self._half:
            wire.send(answer.body[len(answer.body) // 2 :])
        else:
            wire.reply(answer if self._taken else wire.ask())

    def wait(self, patience: float = PATIENCE) -> None:
        assert self._reached.wait(patience)

    def let_go(self) -> None:
        self._go_on.set()
