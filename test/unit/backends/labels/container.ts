/** Containers as an engine tells of them, and what is read out of their labels, as short as tests want it. */

import type { Declaration } from "../../../../src/backends/labels/declaration.js";
import { declarationsOf } from "../../../../src/backends/labels/declarations.js";
import type { DiscoveryConfig } from "../../../../src/config/schema.js";
import type { Container } from "../../../../src/identity/container.js";

/** What a test says of a container; an environment of null is one that is not known yet. */
export interface Said {
	readonly labels?: Readonly<Record<string, string>>;
	readonly env?: Readonly<Record<string, string>> | null;
	readonly exposed?: readonly number[];
	readonly name?: string;
}

export function container({ labels = {}, env = {}, exposed = [], name = "web-1" }: Said): Container {
	return {
		id: "3f2a9c0d41b6f7e8a5c3d2e1f09876543210abcdef0123456789abcdef012345",
		name,
		image: "web:1",
		labels: new Map(Object.entries(labels)),
		env: env === null ? undefined : new Map(Object.entries(env)),
		exposed,
		published: [],
		stopSignal: undefined,
	};
}

/** A declaration without what it does not say. */
export type Short = Partial<Omit<Declaration, "source">> & { readonly service: string };

function short({ source, hosts, ...said }: Declaration): Short {
	const known = Object.entries(said).filter(([, value]) => value !== undefined);
	return { service: said.service, ...Object.fromEntries(known), ...(hosts.length > 0 && { hosts }) };
}

/** What a container declares by our own labels, or by a convention. */
export function declared(said: Said, ...conventions: DiscoveryConfig["conventions"]) {
	const { declarations, problems } = declarationsOf(container(said), { labels: true, conventions });
	return { declarations: declarations.map(short), problems };
}
