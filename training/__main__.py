"""`python -m training`: the command line of training and releases."""

from training.cli import main

main()
