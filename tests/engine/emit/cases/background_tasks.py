"""Work for after the response."""

from slipstream import BackgroundTasks, FastAPI

app = FastAPI(openapi_url=None)


def write_log(message: str) -> None: ...


@app.post("/messages")
async def send_message(message: str, tasks: BackgroundTasks):
    tasks.add_task(write_log, message)
    return {"sent": True}
