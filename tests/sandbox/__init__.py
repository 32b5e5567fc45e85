"""The sandbox against the provider's page: each test names the sentence that it tests."""
