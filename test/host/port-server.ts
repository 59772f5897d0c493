/** A web server on a port of 127.0.0.1, in this process, that answers with its port. */

import { once } from "node:events";
import { createServer } from "node:http";

export interface PortServer extends AsyncDisposable {
	readonly port: number;
	/** Stops listening at once, and drops its connections. */
	close(): Promise<void>;
}

/** Starts one, on a free port unless told another. */
export async function startPortServer(wanted = 0): Promise<PortServer> {
	const server = createServer((_, response) => response.end(String(port)));
	server.listen(wanted, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("no port");
	const { port } = address;
	const close = async () => {
		if (!server.listening) return;
		const closed = once(server, "close");
		server.close();
		server.closeAllConnections();
		await closed;
	};
	return { port, close, [Symbol.asyncDispose]: close };
}
