"""Rehearsal: a Pulumi program run through its whole life against the stand-in cloud, on either engine."""
