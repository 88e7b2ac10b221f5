"""The store and the messaging on the real PostgreSQL and RabbitMQ."""
