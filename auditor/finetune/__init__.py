"""Training a rewritten model without labels: an optional extra, and the one room where gradients are computed.

The model becomes a PyTorch module through a converter library, learns the answers of its original averaged over shifts,
and gives its weights back to the ONNX file. PyTorch is imported where it is used: the rest of the program runs without.
Unlike models that ``verify`` runs, the one to train is converted and run in this process.
"""

from __future__ import annotations

from auditor.finetune.result import Finetuned, FinetuneError, Schedule
from auditor.finetune.run import finetune

__all__ = ["FinetuneError", "Finetuned", "Schedule", "finetune"]
