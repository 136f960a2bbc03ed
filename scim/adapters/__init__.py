"""The outside world, one module per thing: Table Storage, secret stores, queues."""
