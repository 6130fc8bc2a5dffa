"""The OpenAPI document of an app: its models, how it is made, and the pages that show it."""
