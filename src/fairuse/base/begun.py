"""An awaitable whose first step is taken at once, because what it gives is mostly there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

T = TypeVar("T")


class Begun(Generic[T]):
    """Is `done` where nothing had to be waited for; then `value` is there.

    Otherwise it is awaited as if it had not been begun. It may be another task that awaits it,
    where what it waits for is nobody else's and asks for no current task.
    """

    __slots__ = ("_steps", "_waits_for", "done", "value")

    value: T

    def __init__(self, awaitable: Awaitable[T]) -> None:
        self._steps: Generator[Any, Any, T] = awaitable.__await__()
        self._waits_for: Any = None
        self.done = False
        self._step(None)

    def __await__(self) -> Generator[Any, Any, T]:
        while not self.done:
            try:
                sent = yield self._waits_for
            except BaseException as error:  # noqa: BLE001  it is thrown in where it belongs
                self._step(None, error)
            else:
                self._step(sent)
        return self.value

    def _step(self, sent: Any, error: BaseException | None = None) -> None:
        try:
            self._waits_for = self._steps.send(sent) if error is None else self._steps.throw(error)
        except StopIteration as over:
            self.done, self.value = True, over.value
