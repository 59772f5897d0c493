/** A way to a unix socket that may swallow what comes back, or be shut: for answers that are lost on their way. */

import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";

export interface Door {
	/** Nothing comes back through it from now on; what goes in still arrives. */
	silence(): void;
	/** Ends what goes through it, and takes nothing. */
	shut(): void;
	/** As at first. */
	open(): void;
	close(): Promise<void>;
}

/** @param path of the door itself */
export async function openDoor(path: string, target: string): Promise<Door> {
	const sockets = new Set<Socket>();
	let state: "open" | "silent" | "shut" = "open";
	const keep = (socket: Socket) => {
		sockets.add(socket);
		socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
		return socket;
	};
	const server = createServer((outside) => {
		keep(outside);
		if (state === "shut") return outside.destroy();
		const inside = keep(createConnection(target));
		outside.pipe(inside);
		inside.on("data", (data) => {
			if (state === "open") outside.write(data);
		});
		inside.on("close", () => outside.destroy());
		return undefined;
	});
	server.listen(path);
	await once(server, "listening");
	const shut = () => {
		state = "shut";
		for (const socket of sockets) socket.destroy();
	};
	return {
		silence() {
			state = "silent";
		},
		shut,
		open() {
			state = "open";
		},
		async close() {
			shut();
			server.close();
			await once(server, "close");
		},
	};
}
