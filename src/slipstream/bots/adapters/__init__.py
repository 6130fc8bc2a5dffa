"""What speaks one chat platform's protocol: `Bot`, to derive from, and how tokens are compared."""

from slipstream.bots.adapters.bot import Bot as Bot
from slipstream.bots.adapters.tokens import bearer_token as bearer_token, same_token as same_token

__all__ = ["Bot", "bearer_token", "same_token"]
