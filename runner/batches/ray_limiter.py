"""The limiter that batches of one Ray cluster share: an actor with a name."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import anyio

from runner.batches.ray_actors import LimiterActor
from runner.batches.ray_cluster import NAMESPACE

if TYPE_CHECKING:
    from runner.settings.batch_settings import BatchSettings

_LEAVE_S: Final = 2.0


class RayLimiter:
    """Holds the rates of a batch together with all others of the cluster that have its profile and its rates.

    Args:
        profile: The profile's name.
        settings: The rates.
    """

    def __init__(self, profile: str, settings: BatchSettings) -> None:
        import ray

        self._ray = ray
        self._settings = settings
        rates = f"{settings.max_sessions_per_minute}:{settings.max_tokens_per_minute}"
        self._name = f"limiter:{profile}:{rates}"
        self._batch = uuid4().hex
        self._actor: Any = None

    async def begin(self) -> None:
        """Wait until one more session may begin, and count it."""
        await self._call("begin", self._batch)

    async def end(self, tokens: int) -> None:
        """A session that was counted is over, and has used so many tokens."""
        await self._call("end", self._batch, tokens)

    async def aclose(self) -> None:
        """Leave the limiter to the others, without what is still counted."""
        if self._actor is not None:
            with anyio.move_on_after(_LEAVE_S, shield=True), suppress(self._ray.exceptions.RayError):
                await self._actor.leave.remote(self._batch)

    async def _call(self, method: str, *arguments: str | int) -> None:
        while True:
            self._actor = self._actor or self._found()
            call = getattr(self._actor, method).remote(*arguments)
            try:
                await call
            except self._ray.exceptions.RayActorError:
                # The batch that had made it is over.
                self._actor = None
            except BaseException:
                self._ray.cancel(call)
                raise
            else:
                return

    def _found(self) -> Any:
        """The actor, which is made on this node where there is none."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=True)
        options = {"name": self._name, "namespace": NAMESPACE, "get_if_exists": True, "num_cpus": 0}
        made = self._ray.remote(LimiterActor).options(**options, max_concurrency=10_000, scheduling_strategy=here)
        return made.remote(self._settings)
