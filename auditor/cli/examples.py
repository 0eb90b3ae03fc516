"""The examples that end the help of each command; a test reads every one as the program would."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "check": (
        "aliasaudit check model.onnx",
        "aliasaudit check models/ --fail-on warning --report sarif=audit.sarif",
        "aliasaudit check model.onnx --verify --images photos/",
    ),
    "verify": (
        "aliasaudit verify model.onnx --images photos/ --preset imagenet",
        "aliasaudit verify model.onnx --images photos/ --labels labels.csv",
        "aliasaudit verify model.onnx --output-format html -o report.html",
    ),
    "resize": (
        "aliasaudit resize model.onnx --images photos/ --resize cv2-linear",
        "aliasaudit resize model.onnx --images photos/ --preset ultralytics",
        "aliasaudit resize model.onnx --images photos/ --report html=resize.html",
    ),
    "tiles": (
        "aliasaudit tiles model.onnx --memory 8GB",
        "aliasaudit tiles model.onnx --tile 512x768 --output-format json",
        "aliasaudit tiles model.onnx --verify --images slides/ --preset unit",
    ),
    "merge": (
        "aliasaudit merge shard-*.json.gz",
        "aliasaudit merge shard-*.json.gz --output-format html -o report.html",
    ),
    "fix": (
        "aliasaudit fix model.onnx --plan",
        "aliasaudit fix model.onnx -o fixed.onnx --strategy phase-average",
        "aliasaudit fix model.onnx -o fixed.onnx --strategy auto --images photos/",
    ),
    "finetune": (
        "aliasaudit finetune new.onnx --original old.onnx -o out.onnx --images photos",
        "aliasaudit finetune a.onnx --original b.onnx -o c.onnx --images d --minutes 30",
    ),
    "compare": (
        "aliasaudit compare old.onnx new.onnx",
        "aliasaudit compare old.onnx new.onnx --verify --images photos/",
        "aliasaudit compare --base-ref origin/main --model models/",
    ),
    "write": (
        "aliasaudit baseline write models/",
        "aliasaudit baseline write model.onnx --baseline known.json",
    ),
    "prune": (
        "aliasaudit baseline prune models/",
        "aliasaudit baseline prune model.onnx --baseline known.json",
    ),
    "report": (
        "aliasaudit report audit.json",
        "aliasaudit report audit.json --output-format html -o audit.html",
    ),
    "rule": (
        "aliasaudit rule AA101",
        "aliasaudit rule --all",
    ),
    "config": (
        "aliasaudit config",
        "aliasaudit config limits",
    ),
    "schema": (
        "aliasaudit schema report",
        "aliasaudit schema settings",
    ),
    "anonymise": (
        "aliasaudit anonymise model.onnx -o skeleton.onnx",
        "aliasaudit anonymise private/net.onnx --output net.onnx",
    ),
    "demo": (
        "aliasaudit demo",
        "aliasaudit demo --write example",
    ),
}
