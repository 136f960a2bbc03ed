"""Spans and metrics through OpenTelemetry, imported only where telemetry is on (docs/telemetry.md)."""
