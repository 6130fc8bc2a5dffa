"""A NoneBot bot on slipstream, with OneBot V11, and a platform to try it on."""
