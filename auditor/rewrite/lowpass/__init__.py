"""What a blur is made of: kernels, the BlurPool, where it may stand, and where it folds into a convolution."""
