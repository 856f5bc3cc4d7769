"""What dynamic resources over a vendor's REST API share, whichever cloud it is."""
