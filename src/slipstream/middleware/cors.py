"""Starlette's middleware for cross-origin requests."""

from starlette.middleware.cors import CORSMiddleware as CORSMiddleware
