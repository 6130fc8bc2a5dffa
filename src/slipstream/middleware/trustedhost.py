"""Starlette's middleware that refuses unknown `Host` headers."""

from starlette.middleware.trustedhost import TrustedHostMiddleware as TrustedHostMiddleware
