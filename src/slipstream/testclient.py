"""Starlette's test client."""

from starlette.testclient import TestClient as TestClient
