"""An uploaded file."""

from slipstream import FastAPI, UploadFile

app = FastAPI(openapi_url=None)


@app.post("/photos")
async def upload_photo(photo: UploadFile):
    return {"size": photo.size}
