import { closeSync, openSync, writeSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, TLSSocket } from "node:tls";

// A relay between clients and the edge, and what a sniffer there gets: `<n>.up` and `<n>.down` hold the raw bytes of connection
// n from the client and to it, upgrade included. Where the port speaks TLS, it is inside: it sees what TLS would hide. Usage: recorder.ts <port> <folder> [tls]; tells its own port to who forked it, and
// breaks all connections when it is sent a message.
const [port = "", folder = ".", tls] = process.argv.slice(2);
const open = new Set<Socket>();
let connections = 0;

const server = createServer((client) => {
  connections += 1;
  const where = { host: "localhost", port: Number(port) };
  const edge =
    tls === undefined ? connect({ ...where, host: "127.0.0.1" }) : connectTls({ ...where, servername: "localhost" });
  record(client, edge, join(folder, `${connections}.up`));
  record(edge, client, join(folder, `${connections}.down`));
});

/** Written before it is passed on, so that nothing which arrived anywhere is missing. */
function record(from: Socket, to: Socket, file: string): void {
  const fd = openSync(file, "wx", 0o600);
  open.add(from);
  from.on("data", (bytes) => {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    if (!to.write(bytes)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
  from.on("close", () => {
    to.destroySoon();
    open.delete(from);
    closeSync(fd);
  });
}

// Whoever forked it says so: every connection of now breaks, without a word.
process.on("message", () => {
  for (const socket of open) {
    if (socket instanceof TLSSocket) socket.destroy();
    else socket.resetAndDestroy();
  }
});
// What came is written by now: nothing here waits for a socket that does not close.
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) process.send?.({ port: address.port });
});
