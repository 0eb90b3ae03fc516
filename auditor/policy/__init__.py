"""What the user wants: settings with their origins, which rules run, and what the findings mean for the exit code."""
