/**
 * What an engine's answers say, read with distrust: only what is needed must be there, and whatever else is of the wrong
 * kind counts as absent. Nothing of the raw answer is kept. Pure.
 *
 * Fields as in Docker's Engine API 1.24 and later (`/containers/json`, `/containers/ID/json`), which Podman 4 serves, too.
 */

import { constants } from "node:os";
import { z } from "zod";
import type { Container, PublishedPort } from "../container.js";

/** Longest value of a label or variable, in characters; the rest is cut off. Ours are far shorter. */
export const MAX_VALUE_LENGTH = 4096;
/** Longest key of a label; one that is longer is dropped. */
export const MAX_KEY_LENGTH = 256;
/** How many labels, variables or ports of a container are kept, in the engine's order; the rest is dropped. */
export const MAX_ENTRIES = 256;

/** What an inspect tells beyond the container itself. */
export interface Inspected {
	readonly container: Container;
	readonly isRunning: boolean;
	/** When it was started last, in milliseconds since the epoch by the engine's clock; 0 when never. */
	readonly startedAtMs: number;
	/** Whether the engine gives it ports of the host at each start. */
	readonly publishes: boolean;
}

export interface Listed {
	readonly containers: readonly Container[];
	/** False when there was something whose id can't be told: who is absent may be that one. */
	readonly isWhole: boolean;
}

/** Environment variables that a convention reads; no other is ever kept, for there may be secrets in them. */
const KNOWN_VARIABLE = /^(?:VIRTUAL|SERVICE)_/;

const text = z
	.string()
	.transform((raw) => raw.slice(0, MAX_VALUE_LENGTH))
	.catch("");
/** A map of the raw answer; null and whatever is none is an empty one. */
const map = z
	.unknown()
	.optional()
	.transform((raw) => (typeof raw === "object" && raw !== null && !Array.isArray(raw) ? Object.entries(raw) : []));
const list = z.array(z.unknown()).catch([]);
const portNumber = z.coerce.number().int().min(1).max(65_535);

export const containerId = z.string().regex(/^[0-9a-f]{64}$/);

const labels = map.transform((entries) => readLabels(entries));

const listedPort = z.object({
	IP: text,
	PrivatePort: portNumber,
	PublicPort: portNumber.optional().catch(undefined),
	Type: z.literal("tcp"),
});

const listed = z.object({
	Id: containerId,
	Names: list,
	Image: text,
	Labels: labels,
	Ports: list,
});

const inspected = z.object({
	Id: containerId,
	Name: text,
	Config: z.object({
		Image: text,
		Labels: labels,
		Env: list,
		ExposedPorts: map,
		StopSignal: text,
	}),
	State: z.object({ Running: z.boolean().catch(false), StartedAt: text }),
	HostConfig: z
		.object({ PortBindings: map, PublishAllPorts: z.boolean().catch(false) })
		.catch({ PortBindings: [], PublishAllPorts: false }),
	NetworkSettings: z.object({ Ports: map }).catch({ Ports: [] }),
});

const hostPort = z.object({ HostIp: text, HostPort: portNumber });

/** Reads the answer to `/containers/json`; undefined when it is something else. */
export function readList(json: unknown): Listed | undefined {
	if (!Array.isArray(json)) return undefined;
	const rows = json.map((row) => listed.safeParse(row));
	return {
		containers: rows.flatMap(({ data }) => (data === undefined ? [] : [fromList(data)])),
		isWhole: rows.every(({ success }) => success),
	};
}

/** Reads the answer to `/containers/ID/json`; undefined when it is something else, or of another container. */
export function readInspected(json: unknown, id: string): Inspected | undefined {
	const { data } = inspected.safeParse(json);
	if (data === undefined || data.Id !== id) return undefined;
	const { Config, State, HostConfig, NetworkSettings } = data;
	return {
		container: {
			id,
			name: nameOf(data.Name),
			image: Config.Image,
			labels: Config.Labels,
			env: readEnv(Config.Env),
			exposed: ascending(Config.ExposedPorts.flatMap(([key]) => tcpPort(key) ?? [])),
			published: NetworkSettings.Ports.flatMap(([key, bindings]) => readBindings(key, bindings)).slice(0, MAX_ENTRIES),
			stopSignal: signalName(Config.StopSignal),
		},
		isRunning: State.Running,
		// One that was never started has the year 1.
		startedAtMs: Math.max(0, Date.parse(State.StartedAt) || 0),
		publishes: HostConfig.PublishAllPorts || HostConfig.PortBindings.length > 0,
	};
}

/** Labels as they are kept. What is no text is dropped. */
export function readLabels(entries: readonly (readonly [string, unknown])[]): ReadonlyMap<string, string> {
	const kept = new Map<string, string>();
	for (const [key, value] of entries) {
		if (kept.size === MAX_ENTRIES) break;
		if (typeof value === "string" && key.length <= MAX_KEY_LENGTH) kept.set(key, value.slice(0, MAX_VALUE_LENGTH));
	}
	return kept;
}

function fromList({ Id, Names, Image, Labels, Ports }: z.infer<typeof listed>): Container {
	const ports = Ports.flatMap((port) => listedPort.safeParse(port).data ?? []);
	const [first] = Names;
	return {
		id: Id,
		name: typeof first === "string" ? nameOf(first.slice(0, MAX_VALUE_LENGTH)) : "",
		image: Image,
		labels: Labels,
		env: undefined,
		exposed: ascending(ports.map(({ PrivatePort }) => PrivatePort)),
		published: ports
			.flatMap(({ IP, PrivatePort, PublicPort }) =>
				PublicPort === undefined ? [] : published(PrivatePort, IP, PublicPort),
			)
			.slice(0, MAX_ENTRIES),
		stopSignal: undefined,
	};
}

/** `SIGQUIT` for what may be written `QUIT`, `SIGQUIT` or `3`; Podman always has the number. */
function signalName(raw: string): string | undefined {
	if (/^\d+$/.test(raw)) return Object.entries(constants.signals).find(([, number]) => number === Number(raw))?.[0];
	const name = /^(?:SIG)?([A-Z][A-Z0-9+-]{0,15})$/.exec(raw.toUpperCase())?.[1];
	return name === undefined ? undefined : `SIG${name}`;
}

const nameOf = (raw: string) => (raw.startsWith("/") ? raw.slice(1) : raw);

function readEnv(entries: readonly unknown[]): ReadonlyMap<string, string> {
	const known = entries.flatMap((entry): [string, string][] => {
		if (typeof entry !== "string" || !KNOWN_VARIABLE.test(entry)) return [];
		const end = entry.indexOf("=");
		return end === -1 ? [] : [[entry.slice(0, end), entry.slice(end + 1)]];
	});
	return readLabels(known);
}

/** The port of a key such as `80/tcp`; undefined for other protocols. */
function tcpPort(key: string): number | undefined {
	const digits = /^(\d{1,5})\/tcp$/.exec(key)?.[1];
	return digits === undefined ? undefined : portNumber.safeParse(digits).data;
}

function readBindings(key: string, bindings: unknown): PublishedPort[] {
	const port = tcpPort(key);
	if (port === undefined || !Array.isArray(bindings)) return [];
	return bindings.flatMap((binding) => {
		const { data } = hostPort.safeParse(binding);
		return data === undefined ? [] : published(port, data.HostIp, data.HostPort);
	});
}

/** Podman says nothing where Docker says `0.0.0.0`. */
const published = (port: number, hostAddress: string, number: number): PublishedPort[] => [
	{ port, hostAddress: hostAddress === "" ? "0.0.0.0" : hostAddress, hostPort: number },
];

const ascending = (ports: readonly number[]) => [...new Set(ports)].sort((a, b) => a - b).slice(0, MAX_ENTRIES);
