"""Tar files elsewhere: addresses, ranged requests, retries, a cache on disk, reading ahead."""
