"""What does one request cost, beside FastAPI and beside what a good engineer writes by hand?

`python -m benchmarks` from the root of the repository, or `make bench`. `work.py` says what is done, `apps/` does it
once per candidate, `harness.py` checks that all answer alike and then takes the time, `startup.py` measures what comes
before the first request, `report.py` tells.
"""
