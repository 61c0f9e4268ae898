// Bounds the connections of the server, so that clients that connect and send nothing, or send slowly, keep no others out.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Beyond `most`, a new connection takes the place of the oldest one from which no whole request has come; if all have one, the new
 * one is closed.
 */
export function boundConnections(server: Server, most: number): void {
  /** The request that each is answered to; null between requests. The oldest connection is the first. */
  const connections = new Map<Socket, IncomingMessage | null>();
  server.on('connection', (socket: Socket) => {
    if (connections.size >= most) {
      const idle = [...connections].find(([, request]) => !request?.complete)?.[0];
      (idle ?? socket).destroy();
      if (!idle) return;
      connections.delete(idle);
    }
    connections.set(socket, null);
    socket.once('close', () => connections.delete(socket));
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    connections.set(socket, request);
    response.once('close', () => {
      // A client may send several before the first is answered.
      if (connections.get(socket) === request) connections.set(socket, null);
    });
  });
}
