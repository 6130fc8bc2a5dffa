from typing import Annotated

from opentelemetry.sdk.trace import TracerProvider

from slipstream import FastAPI, Form

app = FastAPI(telemetry={"tracer_provider": TracerProvider(shutdown_on_exit=False)})


@app.post("/login")
async def login(name: Annotated[str, Form()], age: Annotated[int, Form()]) -> str:
    return name
