"""ONNX files as operator graphs."""
