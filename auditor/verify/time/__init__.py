"""What a model's answers do over the frames of a clip, and how much of it the sampling grid explains."""
