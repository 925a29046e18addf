"""The live feed: connections that stay open and are told what happens, all held by one thread a process."""
