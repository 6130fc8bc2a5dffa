"""The base class of adapters, which speak one chat platform's protocol each, and functions for tokens."""

from slipstream.bots.adapters.bot import Bot as Bot, bearer_token as bearer_token, same_token as same_token
