"""The process that owns onnxruntime, and the only way to talk to it.

A crafted model of a few hundred bytes can kill onnxruntime with SIGSEGV or SIGFPE, so models run in a child process
with limits. Commands and replies are length-prefixed JSON over pipes and tensors lie in shared memory: the parent never
unpickles what the child sends, so a child that a model has taken over can lie about numbers but not run code here.
"""
