"""What all sections of a description share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """What all sections share: unknown keys are errors, values never change after the checks."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
