"""The command line: `slipstream run`, `slipstream explain`, …"""
