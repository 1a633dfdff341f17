"""Editors: the language server (server/), and what single editors need.

The server is started by `cnn lsp`; it needs `pip install "dotcnn[editor]"`.
"""
