from opentelemetry.sdk.trace import TracerProvider

from slipstream import FastAPI, WebSocket

app = FastAPI(telemetry={"tracer_provider": TracerProvider(shutdown_on_exit=False)})


@app.websocket("/rooms/{room}")
async def talk(websocket: WebSocket, room: int) -> None:
    await websocket.accept()
