"""The fixtures are in a module that other tests can have, too."""

pytest_plugins = ["servers"]
