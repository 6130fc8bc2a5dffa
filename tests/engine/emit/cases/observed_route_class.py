from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from slipstream import APIRouter, FastAPI
from slipstream.routing import APIRoute

app = FastAPI(telemetry={"tracer_provider": TracerProvider(shutdown_on_exit=False)})


class TimedRoute(APIRoute):
    def get_route_handler(self) -> Callable[..., Any]:
        return super().get_route_handler()


router = APIRouter(route_class=TimedRoute)


@router.get("/items/{item_id}")
async def read_item(item_id: int) -> dict[str, int]:
    return {"item_id": item_id}


app.include_router(router)
