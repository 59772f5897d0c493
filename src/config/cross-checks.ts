/**
 * What no single key can tell: names that refer to each other, things that must differ. Pure. Looks at the raw value,
 * so that these problems are reported together with all others, not once those are mended.
 */

import { normalize } from "node:path";
import { z } from "zod";
import { fleetChecks } from "./fleet-checks.js";
import { nearest } from "./nearest.js";
import type { Finding } from "./problem.js";
import { configSchema } from "./schema.js";
import { printable } from "./wording.js";

const text = z.string().optional().catch(undefined);

/** What is not as it should be is left out of the outline: the schema reports it. */
const proxyOutline = z
	.object({
		name: text,
		type: text,
		template: z.unknown().optional(),
		mode: z.string().default("apply").catch(""),
		output: text,
		apply: text,
		reload: z.unknown().optional(),
		masterSocket: z.unknown().optional(),
		pidFile: z.unknown().optional(),
		netns: z.union([z.string(), z.number()]).default("host").optional().catch(undefined),
		services: z.array(z.unknown()).optional().catch([]),
	})
	.catch({ mode: "", services: [] });

/** The parts of a configuration that refer to each other. */
const outline = z
	.object({
		services: z.record(z.string(), z.unknown()).nullable().default({}).catch(null),
		discovery: z
			.object({
				docker: z.unknown().optional(),
				labels: z.boolean().default(true).catch(true),
				conventions: z.array(z.unknown()).default([]).catch([]),
			})
			.default({ labels: true, conventions: [] })
			.catch({ labels: true, conventions: [] }),
		settle: z.unknown().optional(),
		fleet: z.unknown().optional(),
		proxies: z.array(proxyOutline).catch([]),
	})
	.catch({ services: null, discovery: { labels: true, conventions: [] }, proxies: [] });

type ProxyOutline = z.output<typeof proxyOutline>;

/** The findings that lie between the keys of a configuration, given as the plain value of its YAML. */
export function crossChecks(value: unknown): Finding[] {
	const { services, discovery, settle, fleet, proxies } = outline.parse(value);
	// A container may bring any service.
	const areAllKnown = discovery.docker === undefined || !(discovery.labels || discovery.conventions.length > 0);
	const outputs = proxies.map(({ output }) => (output === undefined ? undefined : normalize(output)));
	return [
		...settleOrder(settle),
		...repeated(proxies.map(({ name }) => name)).map(({ at, first }) =>
			finding(["proxies", at, "name"], `is the name of proxies[${first}] too (each needs its own)`),
		),
		...repeated(outputs).map(({ at, first }) =>
			finding(["proxies", at, "output"], `is the output of proxies[${first}] too (each needs its own)`),
		),
		...proxies.flatMap(withoutReload),
		...proxies.flatMap(withoutTemplate),
		...proxies.flatMap(notByUnit),
		...proxies.flatMap((proxy, at) => repeatedServices(proxy, at)),
		...(services === null || !areAllKnown
			? []
			: proxies.flatMap((proxy, at) => unknownServices(proxy, at, Object.keys(services)))),
		...fleetChecks(fleet, services ?? {}),
		...(discovery.docker === undefined ? withoutEngine(services ?? {}, discovery.conventions) : []),
		...(services === null ? [] : seenFromTwo(proxies, Object.keys(services), areAllKnown)),
	];
}

const finding = (path: Finding["path"], message: string): Finding => ({ path, on: "value", message });

function settleOrder(value: unknown): Finding[] {
	const settle = configSchema.shape.settle.safeParse(value);
	if (!settle.success || settle.data.quiet <= settle.data.max) return [];
	const { quiet, max } = settle.data;
	return [finding(["settle", "quiet"], `must not be longer than settle.max (${quiet}ms is more than ${max}ms)`)];
}

/** How each type of proxy can be made to read its file, beside a reload command; a file's reader may watch it. */
const RELOADERS: Readonly<Record<string, "masterSocket" | "pidFile">> = { haproxy: "masterSocket", nginx: "pidFile" };

function withoutReload(proxy: ProxyOutline, at: number): Finding[] {
	const reloader = RELOADERS[proxy.type ?? ""];
	if (reloader === undefined || proxy.mode !== "apply") return [];
	if (proxy.reload !== undefined || proxy[reloader] !== undefined) return [];
	return [
		finding(["proxies", at], `needs reload or ${reloader}, so that the proxy reads its new file (or mode: observe)`),
	];
}

function withoutTemplate({ type, template }: ProxyOutline, at: number): Finding[] {
	if (type !== "file" || template !== undefined) return [];
	return [finding(["proxies", at], "needs template: a proxy of type file has none by default")];
}

function notByUnit({ type, apply }: ProxyOutline, at: number): Finding[] {
	if (type !== "file" || apply !== "unit") return [];
	const message = "can't be unit for a proxy of type file: root has to know what may be in the file (write direct)";
	return [finding(["proxies", at, "apply"], message)];
}

const containerMatch = z.object({ match: z.object({ container: z.unknown() }).catch({ container: undefined }) });

/** What can't be told unless a container engine is asked. */
function withoutEngine(services: Readonly<Record<string, unknown>>, conventions: readonly unknown[]): Finding[] {
	const mend = "(name the engine's socket as discovery.docker: unix:///run/docker.sock)";
	return [
		...Object.entries(services).flatMap(([name, service]) =>
			containerMatch.safeParse(service).data?.match.container === undefined
				? []
				: [finding(["services", name, "match", "container"], `needs a container engine ${mend}`)],
		),
		...(conventions.length === 0 ? [] : [finding(["discovery", "conventions"], `need a container engine ${mend}`)]),
	];
}

function repeatedServices({ services = [] }: ProxyOutline, at: number): Finding[] {
	return repeated(services).map(({ at: item, first }) =>
		finding(["proxies", at, "services", item], `is there already, as services[${first}] (keep one)`),
	);
}

function unknownServices({ services = [] }: ProxyOutline, at: number, known: readonly string[]): Finding[] {
	return services.flatMap((name, item) => {
		if (typeof name !== "string" || known.includes(name)) return [];
		const near = nearest(name, known);
		const guess = near === undefined ? "" : `, did you mean ${printable(near)}?`;
		const allowed = known.length === 0 ? "services: has none" : `services: ${printable(known.join(", "), 200)}`;
		return [
			finding(["proxies", at, "services", item], `no service is named "${printable(name)}"${guess} (${allowed})`),
		];
	});
}

/** Proxies of another network namespace than an earlier one that serves the same: an address holds for one of the two. */
function seenFromTwo(proxies: readonly ProxyOutline[], known: readonly string[], areAllKnown: boolean): Finding[] {
	return proxies.flatMap(({ netns, services }, at) => {
		for (const [first, other] of proxies.slice(0, at).entries()) {
			if (netns === undefined || other.netns === undefined || netns === other.netns) continue;
			const serves = (list: ProxyOutline["services"], name: unknown) => list?.includes(name) ?? true;
			const named = areAllKnown ? known : [...known, ...(services ?? []), ...(other.services ?? [])];
			const isAny = services === undefined && other.services === undefined && !areAllKnown;
			const shared =
				named.find((name) => serves(services, name) && serves(other.services, name)) ??
				(isAny ? "services by label" : undefined);
			if (typeof shared !== "string") continue;
			const [here, there] = [netns, other.netns].map((one) => printable(String(one)));
			return [
				finding(
					["proxies", at, "netns"],
					`is ${here}, but proxies[${first}] serves ${printable(shared)} too, from ${there} (give each services of its own)`,
				),
			];
		}
		return [];
	});
}

/** The items that were there before, with the index of the first of each. What is undefined does not count. */
function repeated(items: readonly unknown[]): { readonly at: number; readonly first: number }[] {
	const firsts = new Map<unknown, number>();
	return items.flatMap((item, at) => {
		const first = firsts.get(item);
		if (item !== undefined && first === undefined) firsts.set(item, at);
		return first === undefined ? [] : [{ at, first }];
	});
}
