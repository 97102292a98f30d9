"""What TorchServe's worker asks of PyTorch, which is too large to install: whether an answer is a tensor."""


class Tensor:
    """No answer of ours is one."""
