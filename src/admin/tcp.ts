/** The place of the status page: a TCP port, as the configuration names it. Knows nothing of what is asked. */

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { HttpAddress } from "../config/http-address.js";
import { messageOf } from "../errors.js";
import { isCode } from "../files.js";
import { hostPort } from "../ip.js";
import { MAX_ACCEPTED } from "./connections.js";

export async function listenAtPort(
	{ address, port }: HttpAddress,
	onConnection: (socket: Socket) => void,
): Promise<Server> {
	const server = createServer(onConnection);
	server.maxConnections = MAX_ACCEPTED;
	server.listen({ host: address, port, exclusive: true });
	await once(server, "listening");
	return server;
}

/** Why it can't listen there, with the mend. */
export function whyNotAtPort(error: unknown, { address, port }: HttpAddress): string {
	const place = hostPort(address, port);
	if (isCode(error, "EADDRINUSE")) return `${place} is in use (name another port as admin.http)`;
	if (isCode(error, "EADDRNOTAVAIL")) return `this host has no address ${address} (name one that it has as admin.http)`;
	if (isCode(error, "EACCES")) {
		return `permission denied at ${place} (name a port from 1024 on as admin.http)`;
	}
	return `${messageOf(error)} (name another place as admin.http)`;
}
