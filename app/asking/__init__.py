"""Asking: how a question gets its turn and its time, and its answer a stream and a memory."""
