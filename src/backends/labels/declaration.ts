/** What a container says of itself: the services that it wants to serve. Pure values; nothing of it is granted yet. */

import type { ReadyConfig } from "../../config/schema.js";

/** A container wants to serve a service. All of it was checked: no text in it can be taken for anything but what it is. */
export interface Declaration {
	/** Name of the service, as in the configuration. */
	readonly service: string;
	/** TCP port inside the container; undefined: it does not say. */
	readonly port: number | undefined;
	/** 0 to 256. */
	readonly weight: number | undefined;
	readonly mode: "http" | "tcp" | undefined;
	/** DNS names, lower case. */
	readonly hosts: readonly string[];
	readonly ready: ReadyConfig | undefined;
	/** In milliseconds. */
	readonly drainTimeout: number | undefined;
	readonly source: DeclarationSource;
}

/** Where it is said: our own labels, or a convention of another tool. */
export type DeclarationSource = "solisten" | "virtual-host" | "traefik" | "registrator";

/** All that a container says. */
export interface Declared {
	readonly declarations: readonly Declaration[];
	/** What it says and can't be meant, each as a clause with the label, what is wrong and what is allowed. */
	readonly problems: readonly string[];
}
