/** A pipeline with containers that an engine tells of, as far as tests say so; and what comes of it, in short. */

import { pino } from "pino";
import type { DesiredChange } from "../../src/backends/backend.js";
import { configSchema } from "../../src/config/schema.js";
import type { Container, ContainerLookup } from "../../src/identity/container.js";
import type { Presence } from "../../src/identity/presence.js";
import { UNKNOWN_ROUTES } from "../../src/identity/routes.js";
import type { Listener } from "../../src/listeners/event.js";
import { netnsKey } from "../../src/listeners/ids.js";
import { createPipeline, type Pipeline } from "../../src/pipeline.js";
import type { Probe } from "../../src/readiness/probe.js";
import type { Remembered } from "../../src/state.js";
import { containerOf } from "./backends/labels/declaring.js";
import { listenerOf } from "./listeners/listener.js";

/** What stands around the pipeline. */
export interface Around {
	/** Default: nobody can say. */
	readonly presenceOf?: () => Presence;
	readonly probe?: Probe;
}

/** Each network namespace is that of a container of the same number, at 10.0.0.NUMBER; 0 is the host's. */
export function setup(config: object = {}, remembered?: Remembered, { presenceOf, probe }: Around = {}) {
	const known = new Map<string, ContainerLookup>();
	const kept: Remembered[] = [];
	const changes: DesiredChange[] = [];
	const warnings: { msg: string; problems: string[] }[] = [];
	const pipeline = createPipeline({
		config: configSchema.parse({ discovery: { docker: "unix:///run/docker.sock" }, ...config }),
		resolver: {
			resolve({ netns, netnsInode, comm, hostname, pid }: Listener) {
				const { id } = containerOf(netns === "0" ? pid : Number(netns));
				const container = known.get(id) ?? { state: "waiting", why: "Docker does not answer" };
				return {
					identity: { comm, hostname, netnsInode, container: id },
					addresses: { state: "known", ipv4: [`10.0.0.${netns}`], ipv6: [] },
					isHost: netns === "0",
					container,
				};
			},
			expire: () => undefined,
			routesOf: () => UNKNOWN_ROUTES,
			want: () => undefined,
			forget: () => undefined,
			disturbed: () => [],
		},
		containers: () => [...known.values()].flatMap((one) => (one.state === "known" ? one.container : [])),
		presenceOf: presenceOf ?? (() => "unknown"),
		log: pino({ level: "warn" }, { write: (line: string) => void warnings.push(JSON.parse(line)) }),
		now: () => performance.now(),
		bootTimeNs: () => performance.now() * 1e6,
		...(remembered !== undefined && { remembered }),
		...(probe !== undefined && { probe }),
		onRemember: (all) => kept.push(all),
		onChange: (change) => changes.push(change),
		requestRead: () => undefined,
	});
	pipeline.onRead({ beganNs: 5, complete: true, rows: [] });
	const runs = (container: Container) => {
		known.set(container.id, { state: "known", container });
		pipeline.onContainers([{ id: container.id, container, isMoved: false }]);
	};
	/** All at once, as a list tells of them. */
	const runAll = (all: readonly Container[]) => {
		for (const container of all) known.set(container.id, { state: "known", container });
		pipeline.onContainers(all.map((container) => ({ id: container.id, container, isMoved: false })));
	};
	const ends = ({ id }: Container) => {
		known.delete(id);
		pipeline.onContainers([{ id, container: undefined, isMoved: false }]);
	};
	return { pipeline, runs, runAll, ends, kept, changes, warnings };
}

export const labelled = (number: number, labels: Record<string, string>, more: Partial<Container> = {}) =>
	containerOf(number, { labels: new Map(Object.entries(labels)), ...more });
export const inContainer = (number: number, port = 80, more: Partial<Listener> = {}) =>
	listenerOf(number * 100_000 + port, 10, { netns: netnsKey(String(number)), port, ...more });
export const pools = (pipeline: Pipeline) =>
	Object.fromEntries(pipeline.desired()?.map(({ name, backends }) => [name, backends.map(({ id }) => id)]) ?? []);
export const verdicts = (pipeline: Pipeline) =>
	pipeline.listeners().map(({ verdict }) => (verdict.state === "in" ? "in" : `${verdict.state}: ${verdict.why}`));
