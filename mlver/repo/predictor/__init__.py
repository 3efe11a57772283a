"""The one place where bytes of a repository come to life: a model predicts, in a walled-in process of its own.

`parent` starts the process, and only when somebody asked for predictions; the rest runs inside of it. What the
walls hold, and what they do not, is in docs/design/behaviour.md.
"""
