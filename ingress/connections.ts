/**
 * The bound of a worker's connections.
 */
import type { Server, Socket } from "node:net";

/**
 * Closes what comes beyond `max` at once. `Server.maxConnections` does not do: what one worker refuses node:cluster offers to
 * the next, round and round while all are full.
 */
export function closeBeyond(server: Server, max: number): void {
  let open = 0;
  server.on("connection", (socket: Socket) => {
    open++;
    socket.once("close", () => open--);
    if (open > max) socket.destroy();
  });
}
