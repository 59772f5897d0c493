/**
 * The two places where the daemon is asked: the control socket, and the port of the status page where the configuration
 * has one. What answers there is loaded with the first question. Never fatal: a daemon that can't be asked still keeps its
 * proxies right.
 */

import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import { type HttpAddress, isLocalOnly } from "../config/http-address.js";
import { hostPort } from "../ip.js";
import { type Connections, createConnections, PATIENCE, type Patience, type Phases } from "./connections.js";
import { listenAtPath, whyNotAtPath } from "./socket.js";
import { listenAtPort, whyNotAtPort } from "./tcp.js";
import type { DaemonView } from "./view.js";
import type { WebPlace } from "./web.js";

export interface AdminPlaces {
	/** Path of the control socket. */
	readonly socket: string;
	/** Undefined: there is no status page. */
	readonly http?: HttpAddress | undefined;
	/** This host's name in the configuration, and other names under which the page may be asked for. */
	readonly host: string;
	readonly hosts: readonly string[];
}

export interface Admin {
	/**
	 * Listens at these places, and at no others any more; who asked at an earlier one still gets the answer. That it can't is
	 * told in the log.
	 */
	listen(places: AdminPlaces): Promise<void>;
	/** Ends what is under way, and removes the socket. */
	close(): Promise<void>;
}

/** What listens nowhere yet. */
export function createAdmin(view: DaemonView, log: Logger, patience: Patience = PATIENCE): Admin {
	let web: WebPlace | undefined;
	const connections = (isWeb: boolean) =>
		createConnections(async (phases: Phases) => {
			const { createApi } = await import("./api.js");
			return createApi(view, phases, patience, isWeb ? () => web : undefined);
		}, patience);
	const control = createDoor<string>(connections(false), listenAtPath, (path, error) => {
		log.warn(
			{ socket: path, reason: whyNotAtPath(error, path) },
			"no control socket: solistend status, drain, hold and release will not reach this daemon",
		);
	});
	const page = createDoor<HttpAddress>(connections(true), listenAtPort, (http, error) => {
		log.warn({ http: hostPort(http.address, http.port), reason: whyNotAtPort(error, http) }, "no status page");
	});

	return {
		async listen({ socket, http, host, hosts }) {
			await control.open(socket);
			web = http && { ...http, host, hosts };
			const isNew = await page.open(http);
			if (http === undefined || !isNew) return;
			const place = { http: `http://${hostPort(http.address, http.port)}/` };
			log.info(place, "status page");
			if (!isLocalOnly(http))
				log.warn(place, "the status page asks nobody who they are: whoever reaches it can read it");
		},
		async close() {
			await Promise.all([control.close(), page.close()]);
		},
	};
}

/** One of the places, which can change. */
function createDoor<Place>(
	connections: Connections,
	listen: (place: Place, onConnection: (socket: Socket) => void) => Promise<Server>,
	onFailed: (place: Place, error: unknown) => void,
) {
	let place: Place | undefined;
	let server: Server | undefined;

	return {
		/** Whether it listens there now, and did not before. */
		async open(next: Place | undefined): Promise<boolean> {
			if (server !== undefined && isDeepStrictEqual(next, place)) return false;
			server?.close();
			server = undefined;
			place = next;
			if (next === undefined) return false;
			try {
				server = await listen(next, connections.take);
			} catch (error) {
				onFailed(next, error);
			}
			return server !== undefined;
		},
		async close() {
			const closed = server && once(server, "close");
			server?.close();
			connections.close();
			await closed;
		},
	};
}
