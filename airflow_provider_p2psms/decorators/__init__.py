"""Decorators for tasks in the TaskFlow style."""
