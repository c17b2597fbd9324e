"""The Tremplin server: Flask for HTTP, an asyncio gateway for WebSockets, one process."""
