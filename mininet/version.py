"""The version of this package, where the build finds it without importing anything."""

VERSION = "1.0.0"
