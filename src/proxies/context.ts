/**
 * What a template sees: the desired set of one proxy as plain values. Pure, and the same again for the same set: no
 * times, no process ids. The last fence before a configuration: whatever a container chose is made harmless here,
 * although the identity stage did so already.
 */

import type { Backend, BackendState, DesiredService, DesiredSet } from "../backends/backend.js";
import type { Options, ProxyConfig } from "../config/schema.js";

/** Everything is always there: what is not known is `""` or an empty list. */
export interface TemplateContext {
	readonly host: string;
	readonly proxy: {
		readonly name: string;
		readonly type: string;
		readonly runtimeSocket: string;
		readonly fallbackChecks: boolean;
		readonly pidFile: string;
		readonly options: Options;
	};
	/** Sorted by name. */
	readonly services: readonly ServiceContext[];
}

export interface ServiceContext {
	readonly name: string;
	readonly mode: "http" | "tcp";
	readonly balance: string;
	readonly hosts: readonly string[];
	/** Where a request goes whose host no service has: to the first HTTP service without hosts. */
	readonly isDefault: boolean;
	readonly options: Options;
	/** Sorted by id. */
	readonly backends: readonly BackendContext[];
	/** HAProxy only: its servers, by number; some of them are free. */
	readonly slots: readonly SlotContext[];
}

/** A server that is declared ahead. */
export interface SlotContext {
	readonly name: string;
	readonly address: string;
	readonly port: number;
	readonly weight: number;
	/** `free`: nobody is in it, and its address leads nowhere. */
	readonly state: BackendState | "free";
}

export interface BackendContext {
	readonly id: string;
	readonly address: string;
	readonly port: number;
	readonly weight: number;
	readonly state: BackendState;
	/** Others of the service are preferred and ready. */
	readonly backup: boolean;
	readonly host: string;
	readonly zone: string;
	readonly local: boolean;
	readonly comm: string;
	readonly hostname: string;
	readonly unit: string;
	readonly container: string;
	readonly containerName: string;
	readonly image: string;
	readonly netns: string;
}

/**
 * The context of a proxy: only the services that it serves.
 * @param slots those of each service, where the proxy has some
 */
export function templateContext(
	proxy: ProxyConfig,
	host: string,
	desired: DesiredSet,
	slots: ReadonlyMap<string, readonly SlotContext[]> = new Map(),
): TemplateContext {
	const served = servedBy(proxy, desired);
	const byDefault = defaultOf(served);
	return {
		host,
		proxy: {
			name: proxy.name,
			type: proxy.type,
			runtimeSocket: proxy.runtimeSocket ?? "",
			fallbackChecks: proxy.fallbackChecks,
			pidFile: proxy.pidFile ?? "",
			options: proxy.options,
		},
		services: served.map((service) => serviceContext(service, service === byDefault, slots.get(service.name) ?? [])),
	};
}

/** Of the configuration by name, else of those by label the one that was there first: a container must not take it away. */
function defaultOf(services: DesiredSet): DesiredService | undefined {
	const [first] = services
		.filter(({ mode, hosts }) => mode === "http" && hosts.length === 0)
		.sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
	return first;
}

/** The services that a proxy serves. */
export function servedBy(proxy: Pick<ProxyConfig, "services">, desired: DesiredSet): DesiredSet {
	return proxy.services === undefined ? desired : desired.filter(({ name }) => proxy.services?.includes(name));
}

function serviceContext(
	{ name, mode, balance, hosts, options, backends }: DesiredService,
	isDefault: boolean,
	slots: readonly SlotContext[],
): ServiceContext {
	return { name, mode, balance, hosts, isDefault, options, backends: backends.map(backendContext), slots };
}

function backendContext(backend: Backend): BackendContext {
	const { id, address, port, weight, state, backup, host, zone, local, identity } = backend;
	return {
		id,
		address,
		port,
		weight,
		state,
		backup,
		host: harmless(host),
		zone: harmless(zone),
		local,
		comm: harmless(identity.comm),
		hostname: harmless(identity.hostname),
		unit: harmless(identity.unit),
		container: harmless(identity.container),
		containerName: harmless(identity.containerName),
		image: harmless(identity.image),
		netns: harmless(identity.netnsName),
	};
}

/** No quote, space, brace, `#` or newline: in no proxy's configuration is the result anything but a word. */
function harmless(name: string | undefined): string {
	return (name ?? "").replace(/[^A-Za-z0-9_.:@/-]/g, "_");
}
