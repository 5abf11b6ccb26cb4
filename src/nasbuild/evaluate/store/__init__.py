"""Stores results of evaluations in a database that several processes may share."""
