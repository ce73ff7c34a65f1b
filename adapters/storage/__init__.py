"""Object storage: sealed recordings and documents in a folder or in S3."""
