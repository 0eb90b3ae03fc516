"""Running a model on shifted inputs and measuring, with intervals, how much its answer depends on position."""
