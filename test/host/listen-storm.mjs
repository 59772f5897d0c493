/**
 * Opens and closes TCP listeners as fast as it can, then keeps some open: node listen-storm.mjs PAIRS CONCURRENCY KEEP
 *
 * Runs as it is, inside any namespace. When the last pair is closed it opens KEEP listeners and writes one JSON line,
 * {"pairs": …, "ms": …, "open": [{"address": …, "port": …}, …]}. Ends when standard input does, or by SIGTERM.
 */

import { once } from "node:events";
import { createServer } from "node:net";

const [pairs = 1000, concurrency = 10, keep = 0] = process.argv.slice(2).map(Number);

async function open() {
	const server = createServer();
	server.listen(0, "0.0.0.0");
	await once(server, "listening");
	return server;
}

let begun = 0;
async function openAndClose() {
	while (begun < pairs) {
		begun += 1;
		const server = await open();
		server.close();
		await once(server, "close");
	}
}

const startMs = performance.now();
await Promise.all(Array.from({ length: concurrency }, openAndClose));
const ms = Math.round(performance.now() - startMs);

const kept = await Promise.all(Array.from({ length: keep }, open));
const where = kept.map((server) => {
	const { address, port } = server.address();
	return { address, port };
});
console.log(JSON.stringify({ pairs, ms, open: where }));

process.stdin.resume();
await once(process.stdin, "end");
process.exit();
