"""Whole pipelines in front of a model under one word, each with the code that it follows.

A preset is what the named project (its version, or its commit, in parentheses) does to a picture when nobody tells it
otherwise; a model whose authors chose other settings needs other numbers: :func:`dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

Color = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Scaling:
    """``(pixel / divisor - mean) / std``, channel by channel in the order of the model."""

    divisor: float = 1.0
    mean: Color = (0.0, 0.0, 0.0)
    std: Color = (1.0, 1.0, 1.0)


_UNIT = Scaling(255.0)
_SIGNED = Scaling(127.5, (1.0, 1.0, 1.0))
_HALVES = Scaling(255.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_IMAGENET = Scaling(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_IMAGENET_BGR = Scaling(1.0, (103.53, 116.28, 123.675), (57.375, 57.12, 58.395))
_CLIP = Scaling(255.0, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_GREY: Color = (114.0, 114.0, 114.0)
_BLACK: Color = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How a picture becomes a model's input.

    ``fit`` and ``settings`` are those of :func:`auditor.pipeline.place`, ``kernel`` of :func:`auditor.pipeline.resize`.
    ``bgr``: blue comes first, in ``scaling`` too. ``fill`` is the border as a pixel (red, green, blue), or ``None`` for
    zeros behind the scaling. ``float_resize``: the picture is resized as floating numbers and never rounded to bytes.
    ``channels_first`` is NCHW, else NHWC. ``same_aspect``: the library cuts a region of the input's aspect ratio before
    all this, so that a picture of another one is refused. ``reader`` is the library that reads the file
    (``cv2``, ``transformers``), where it is not that of the kernel. ``source`` is the code that the preset follows.
    """

    name: str
    source: str
    fit: str
    kernel: str
    settings: tuple[tuple[str, object], ...] = ()
    bgr: bool = False
    scaling: Scaling = Scaling()
    fill: Color | None = None
    float_resize: bool = False
    channels_first: bool = True
    same_aspect: bool = False
    reader: str = ""


@cache
def presets() -> Mapping[str, Preset]:
    """Every preset by its name.

    >>> presets()["yolox"].bgr
    True
    """
    return MappingProxyType({preset.name: preset for preset in (*_DETECTORS, *_CLASSIFIERS, *_FACES, *_TEXT)})


_DETECTORS = (
    Preset(
        name="ultralytics",
        source="ultralytics 8.4, data/augment.py LetterBox and engine/predictor.py preprocess, for a fixed input size",
        fit="ultralytics",
        kernel="cv2-linear",
        scaling=_UNIT,
        fill=_GREY,
    ),
    Preset(
        name="yolox",
        source="YOLOX 0.3, yolox/data/data_augment.py preproc: blue first, 0..255",
        fit="yolox",
        kernel="cv2-linear",
        bgr=True,
        fill=_GREY,
    ),
    Preset(
        name="rtmdet",
        source="mmdetection (0818991), configs/rtmdet/rtmdet_l_8xb32-300e_coco.py test_pipeline and data_preprocessor",
        fit="mmdet",
        kernel="cv2-linear",
        fill=_GREY,
        bgr=True,
        scaling=_IMAGENET_BGR,
    ),
    Preset(
        name="nanodet",
        reader="cv2",
        source="nanodet (4546163), config/nanodet-plus-m_416.yml (keep_ratio: False) and data/transform/warp.py "
        "warp_and_resize: corner to corner by warpPerspective, as OpenCV 5 computes it when it shrinks",
        fit="stretch",
        kernel="tf1-bilinear",
        bgr=True,
        scaling=_IMAGENET_BGR,
    ),
    Preset(
        name="picodet",
        source="PaddleDetection (1260e1a), configs/picodet/_base_/picodet_320_reader.yml: interp 2 is INTER_CUBIC",
        fit="stretch",
        kernel="cv2-cubic",
        scaling=_IMAGENET,
    ),
    Preset(
        name="ppyoloe",
        source="PaddleDetection (92dc41a), configs/ppyoloe/_base_/ppyoloe_reader.yml: interp 2 is INTER_CUBIC",
        fit="stretch",
        kernel="cv2-cubic",
        scaling=_IMAGENET,
    ),
    Preset(
        name="ppyoloe-plus",
        source="PaddleDetection (327a74f), configs/ppyoloe/_base_/ppyoloe_plus_reader.yml: norm_type none, 0..1",
        fit="stretch",
        kernel="cv2-cubic",
        scaling=_UNIT,
    ),
    Preset(
        name="rtdetr",
        source="RT-DETR (27a6a80), rtdetrv2_pytorch/references/deploy/rtdetrv2_onnxruntime.py: Resize of PIL, ToTensor",
        fit="stretch",
        kernel="pil-bilinear",
        scaling=_UNIT,
    ),
    Preset(
        name="rf-detr",
        source="rf-detr (0696d67), rfdetr/detr.py predict: to_tensor, normalize, then torchvision's antialiased resize",
        fit="stretch",
        kernel="torch-bilinear-aa",
        float_resize=True,
        scaling=_IMAGENET,
    ),
    Preset(
        name="detr",
        reader="transformers",
        source="transformers 5.24, DetrImageProcessor: shortest edge (800), longest edge at most 1333, no padding",
        fit="detr",
        kernel="pil-bilinear",
        settings=(("longest", 1333),),
        scaling=_IMAGENET,
    ),
    Preset(
        name="efficientdet",
        source="efficientdet-pytorch (1d1c7fb), effdet/data/transforms.py ResizePad and resolve_fill_color",
        fit="yolox",
        kernel="pil-bilinear",
        fill=(124.0, 116.0, 104.0),
        scaling=_IMAGENET,
    ),
)

_CLASSIFIERS = (
    Preset(
        name="torchvision",
        source="torchvision 0.28, transforms/_presets.py ImageClassification on a PIL image: 224 of 256",
        fit="shortest-edge",
        kernel="pil-bilinear",
        fill=_BLACK,
        scaling=_IMAGENET,
    ),
    Preset(
        name="timm",
        source="timm 1.0, data/transforms_factory.py transforms_imagenet_eval with the defaults of data/constants.py",
        fit="timm",
        kernel="pil-bicubic",
        fill=_BLACK,
        scaling=_IMAGENET,
    ),
    Preset(
        name="clip",
        source="CLIP (0848ed7), clip/clip.py _transform",
        fit="torchvision",
        kernel="pil-bicubic",
        fill=_BLACK,
        scaling=_CLIP,
    ),
    Preset(
        name="transformers-clip",
        reader="transformers",
        source="transformers 5.24, CLIPImageProcessor: CLIP's, but an odd rest of the crop is cut elsewhere",
        fit="transformers",
        kernel="pil-bicubic",
        fill=_BLACK,
        scaling=_CLIP,
    ),
    Preset(
        name="transformers-vit",
        reader="transformers",
        source="transformers (052a89c), models/vit/image_processing_vit.py ViTImageProcessor",
        fit="stretch",
        kernel="pil-bilinear",
        scaling=_HALVES,
    ),
    Preset(
        name="keras",
        source="Keras 3 (2b11b3f), utils/image_utils.py load_img(target_size=...), which picks the nearest pixel, and "
        "applications/imagenet_utils.py preprocess_input(mode='tf')",
        fit="stretch",
        kernel="pil-nearest",
        scaling=_SIGNED,
        channels_first=False,
    ),
    Preset(
        name="keras-caffe",
        source="Keras 3, load_img(target_size=...) and applications/imagenet_utils.py preprocess_input(mode='caffe')",
        fit="stretch",
        kernel="pil-nearest",
        bgr=True,
        scaling=Scaling(mean=(103.939, 116.779, 123.68)),
        channels_first=False,
    ),
    Preset(
        name="keras-torch",
        source="Keras 3, load_img(target_size=...) and applications/imagenet_utils.py preprocess_input(mode='torch')",
        fit="stretch",
        kernel="pil-nearest",
        channels_first=False,
        scaling=_IMAGENET,
    ),
    Preset(
        name="keras-efficientnet",
        source="Keras 3, load_img(target_size=...) and applications/efficientnet.py preprocess_input, which does "
        "nothing: the scaling is in the model",
        fit="stretch",
        kernel="pil-nearest",
        channels_first=False,
    ),
)

_FACES = (
    Preset(
        name="insightface",
        source="insightface (0bdfc69), model_zoo/scrfd.py detect and forward",
        fit="insightface",
        kernel="cv2-linear",
        scaling=Scaling(1.0, (127.5, 127.5, 127.5), (128.0, 128.0, 128.0)),
        fill=_BLACK,
    ),
    Preset(
        name="arcface",
        source="insightface (2400a75), model_zoo/arcface_onnx.py get_feat, of a face that is aligned",
        fit="stretch",
        kernel="cv2-linear",
        scaling=Scaling(1.0, (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    ),
    Preset(
        name="yunet",
        source="OpenCV, samples/dnn/face_detect.cpp (--scale) and FaceDetectorYN's padding: blue first, 0..255",
        fit="yolox",
        kernel="cv2-linear",
        bgr=True,
        fill=_BLACK,
    ),
    Preset(
        name="ultraface",
        source="Ultra-Light-Fast-Generic-Face-Detector-1MB (0f9ca4a), run_video_face_detect_onnx.py",
        fit="stretch",
        kernel="cv2-linear",
        scaling=Scaling(1.0, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
    ),
    Preset(
        name="mediapipe",
        source="MediaPipe, ImageToTensorCalculator on a CPU with the range 0..1: corner to corner by warpPerspective, "
        "as OpenCV 5 computes it",
        fit="stretch",
        kernel="tf1-bilinear",
        scaling=_UNIT,
        channels_first=False,
        same_aspect=True,
    ),
    Preset(
        name="mediapipe-signed",
        source="MediaPipe, ImageToTensorCalculator on a CPU with the range -1..1: corner to corner by warpPerspective, "
        "as OpenCV 5 computes it",
        fit="stretch",
        kernel="tf1-bilinear",
        scaling=_SIGNED,
        channels_first=False,
        same_aspect=True,
    ),
)

_TEXT = (
    Preset(
        name="ppocr",
        source="PaddleOCR (026f96b), tools/infer/predict_det.py and ppocr/data/imaug/operators.py DetResizeForTest "
        "(image_shape): ImageNet's numbers on blue, green, red",
        fit="stretch",
        kernel="cv2-linear",
        bgr=True,
        scaling=_IMAGENET,
    ),
    Preset(
        name="ppocr-rec",
        source="PaddleOCR (0002349), tools/infer/predict_rec.py resize_norm_img: blue first",
        fit="text-line",
        kernel="cv2-linear",
        bgr=True,
        scaling=_HALVES,
    ),
)
