"""Tiles of a raster, by routers that a factory makes of dependencies, with errors that have handlers."""

import numpy
import pytest
import rasterio
from fastapi import FastAPI
from fastapi.testclient import TestClient
from rasterio.transform import from_origin
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import AlgorithmFactory, ColorMapFactory, TilerFactory, TMSFactory
from titiler.core.middleware import CacheControlMiddleware, TotalTimeMiddleware


@pytest.fixture
def client():
    app = FastAPI()
    app.include_router(TilerFactory(router_prefix="/cog").router, prefix="/cog", tags=["tiles"])
    app.include_router(TMSFactory().router)
    app.include_router(AlgorithmFactory().router)
    app.include_router(ColorMapFactory().router)
    add_exception_handlers(app, DEFAULT_STATUS_CODES)
    app.add_middleware(CacheControlMiddleware, cachecontrol="public, max-age=60")
    app.add_middleware(TotalTimeMiddleware)
    return TestClient(app)


@pytest.fixture
def raster(tmp_path):
    file = tmp_path / "raster.tif"
    data = numpy.arange(64 * 64, dtype="uint8").reshape(1, 64, 64)
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint8", "crs": "EPSG:4326"}
    with rasterio.open(file, "w", transform=from_origin(0, 10, 0.1, 0.1), **profile) as made:
        made.write(data)
    return str(file)


def test_raster_is_told_of_and_drawn(client, raster):
    info = client.get("/cog/info", params={"url": raster})
    assert info.status_code == 200
    assert info.json()["dtype"] == "uint8"
    point = client.get("/cog/point/3,8", params={"url": raster})
    assert point.status_code == 200
    preview = client.get("/cog/preview.png", params={"url": raster, "rescale": "0,255", "colormap_name": "viridis"})
    assert preview.status_code == 200
    assert preview.headers["content-type"] == "image/png"
    assert preview.headers["cache-control"] == "public, max-age=60"
    assert "server-timing" in preview.headers
    statistics = client.get("/cog/statistics", params={"url": raster})
    assert statistics.status_code == 200


def test_what_is_wrong_has_its_status(client, raster):
    assert client.get("/cog/info").status_code == 422
    assert client.get("/cog/preview.png", params={"url": raster, "colormap_name": "none"}).status_code == 422
    assert client.get("/cog/tiles/WebMercatorQuad/20/1/1.png", params={"url": raster}).status_code == 404
    assert client.get("/cog/info", params={"url": "/nowhere.tif"}).status_code >= 400


def test_lists_and_document(client):
    assert client.get("/tileMatrixSets").status_code == 200
    assert client.get("/tileMatrixSets/WebMercatorQuad").json()["id"] == "WebMercatorQuad"
    assert client.get("/algorithms").status_code == 200
    assert client.get("/colorMaps").status_code == 200
    document = client.get("/openapi.json").json()
    assert "/cog/tiles/{tileMatrixSetId}/{z}/{x}/{y}" in document["paths"]
