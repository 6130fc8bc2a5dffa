from opentelemetry.sdk.trace import TracerProvider

from slipstream import FastAPI
from slipstream.responses import PlainTextResponse

app = FastAPI(telemetry={"tracer_provider": TracerProvider(shutdown_on_exit=False)})


@app.get("/hello", response_class=PlainTextResponse)
def hello(observed: str = "nobody") -> str:
    return f"hello, {observed}"
