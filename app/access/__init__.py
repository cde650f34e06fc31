"""Access: who calls, what their key lets them do, and which collections of documents they read."""
