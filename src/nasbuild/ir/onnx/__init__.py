"""Reads ONNX files as operator graphs."""
