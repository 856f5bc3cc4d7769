"""Serving speed, ours beside the peers': same models, same requests, one machine, one run.

`work` makes models and requests, `contestants` says how each server is started and asked, `measure` runs wrk, `report`
writes the page. `peers/` holds each peer's program, as its own documents write one.
"""
