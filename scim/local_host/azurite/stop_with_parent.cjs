// Loaded before Azurite. Its standard input is a pipe that only the starting process holds: when that process is gone,
// however it ended, the pipe closes and Azurite stops (and saves), so that none is ever left behind on its ports.
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();
process.stdin.unref();
