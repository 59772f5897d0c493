/** TCP ports of 127.0.0.1. */

import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Whether nobody listens on a port. Tried by listening without SO_REUSEPORT: a proxy, which sets it, would share the
 * port with another in silence.
 */
export async function isPortFree(port: number): Promise<boolean> {
	return (await tryPort(port)) !== undefined;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
	const port = await tryPort(0);
	if (port === undefined) throw new Error("cannot find a free port on 127.0.0.1");
	return port;
}

async function tryPort(port: number): Promise<number | undefined> {
	const server = createServer();
	try {
		server.listen(port, "127.0.0.1");
		await once(server, "listening");
		const address = server.address();
		return typeof address === "object" ? address?.port : undefined;
	} catch {
		return undefined;
	} finally {
		server.close();
	}
}
