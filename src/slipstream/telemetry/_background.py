"""Background tasks of an observed request: each gets a span, and its failure a log record."""

from slipstream._engine.runtime.observe import function_name
from slipstream.background import BackgroundTasks, log_failure
from slipstream.telemetry._observation import Operation, current

NAME = "fastapi.background_task"


class _Task(Operation):
    """The span of a background task; any exception is a failure there, for nobody is left to answer."""

    def is_failure(self, exc: BaseException) -> bool:
        return isinstance(exc, Exception)


async def run_observed(tasks: BackgroundTasks) -> None:
    """Run tasks in order, as `BackgroundTasks` does by itself, and tell of each if their request is observed."""
    observation = current()
    for task in tasks.tasks:
        try:
            if observation is None or observation.tracer is None:
                await task()
            else:
                with _Task(observation, NAME, function_name(task.func)):
                    await task()
        except Exception as exc:
            log_failure(task)
            if observation is not None:
                observation.failed(exc, "http.server.request.exception", "Unhandled exception in a background task")
