"""The live feed: what happens, told as it happens, over WebSockets and Server-Sent Events."""
