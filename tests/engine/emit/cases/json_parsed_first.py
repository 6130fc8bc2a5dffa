"""A body that Pydantic's two modes might read differently: it is parsed, then validated."""

from datetime import timedelta

from pydantic import BaseModel

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


class Timer(BaseModel):
    pause: timedelta


@app.post("/timers")
async def start_timer(timer: Timer | None = None):
    return timer
