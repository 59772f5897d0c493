/** From what the stages say of themselves to what the daemon answers: names, and times as people read them. */

import type {
	BackendName,
	BackendView,
	DaemonStatus,
	DaemonView,
	DrainedHost,
	Kept,
	ProxyView,
	SensorView,
	ServiceView,
} from "./admin/view.js";
import { type BackendRef, parseBackendId } from "./backends/backend.js";
import type { BackendStatus, ServiceStatus } from "./backends/status.js";
import type { Bell } from "./bell.js";
import { type AnswerOptions, explain } from "./explain/answer.js";
import { timelineOf } from "./explain/timeline.js";
import { fleetView, type ShownFleet } from "./fleet-view.js";
import { endpointJson } from "./listener-json.js";
import type { Pipeline } from "./pipeline.js";
import type { ProxyStatus } from "./proxies/loop.js";
import type { Proxies, ProxyReport } from "./proxies/proxies.js";
import type { Sensor, SensorState } from "./sensor/sensor.js";
import { version } from "./version.js";

export interface ViewOptions {
	/** The configuration file. */
	readonly file: string;
	/** Name of this host, as it is configured now. */
	host(): string;
	/** The names of the proxies that serve a service, as it is configured now. */
	proxiesOf(service: string): readonly string[];
	readonly pipeline: Pick<Pipeline, "listenerCount" | "hold" | "release" | "forget"> & AnswerOptions["pipeline"];
	readonly proxies: Pick<Proxies, "status">;
	readonly sensor: Pick<Sensor, "losses" | "state">;
	resync(): void;
	reload(): Promise<readonly string[]>;
	/** Resolves when what is held now is written, with the reason where it is not. */
	saved(): Promise<string | undefined>;
	/** This host among others, as it is configured now. */
	fleet(): ShownFleet | undefined;
	/** Tells whenever something of the status may be another. */
	readonly bell: Pick<Bell, "subscribe">;
}

export function createView(options: ViewOptions): DaemonView {
	const { file, host, proxiesOf, pipeline, proxies, sensor, resync, reload, saved } = options;
	/** The first read is over by now: what came after it is recorded. */
	const recordedSinceMs = performance.now();
	const startedAt = new Date(Date.now() - process.uptime() * 1000).toISOString();

	const kept = async (): Promise<Kept> => {
		const problem = await saved();
		return { warning: problem === undefined ? undefined : `not kept over a restart: ${problem}` };
	};

	return {
		status: () => ({
			version,
			host: host(),
			pid: process.pid,
			startedAt,
			uptimeMs: Math.round(process.uptime() * 1000),
			config: file,
			listeners: pipeline.listenerCount(),
			services: pipeline.status().map(serviceView),
			holds: pipeline.holds(),
			proxies: proxies.status().map(proxyView),
			sensor: sensorView(sensor.state()),
			losses: { ...sensor.losses() },
			...fleetOf(options),
		}),
		listeners: () => pipeline.listeners().map(endpointJson),
		explain(question) {
			const views = proxies.status().map(proxyView);
			return explain(question, {
				pipeline,
				proxiesOf(service) {
					const serving = new Set(proxiesOf(service));
					return views.filter(({ name }) => serving.has(name));
				},
				toIso,
				recordedSinceMs,
			});
		},
		timeline: () => timelineOf(pipeline.history, performance.now(), recordedSinceMs, toIso),
		subscribe: options.bell.subscribe,
		hold(backends, state) {
			for (const ref of backends.flatMap(refsOf)) pipeline.hold(ref, state);
			return kept();
		},
		release(backends) {
			for (const ref of backends.flatMap(refsOf)) pipeline.release(ref);
			return kept();
		},
		async forget(service) {
			const why = pipeline.forget(service);
			return why === undefined ? { ok: true, ...(await kept()) } : { ok: false, message: why };
		},
		drainHost: (isDraining) => drainHost(options.fleet(), isDraining),
		resync,
		reload,
	};
}

function fleetOf({ fleet }: ViewOptions): Pick<DaemonStatus, "fleet"> {
	const now = fleet();
	return now === undefined ? {} : { fleet: fleetView(now, toIso) };
}

async function drainHost(fleet: ShownFleet | undefined, isDraining: boolean): Promise<DrainedHost> {
	if (fleet === undefined) {
		const mend = "name its Redis as fleet.redis in the configuration; here, solistend drain SERVICE drains a service";
		return { ok: false, message: `this host is in no fleet, so nobody else sends it work (${mend})` };
	}
	const { cluster, host, member } = fleet;
	if (member.status().publishing.state === "off") {
		const message = "this host tells others of no backends, so there is nothing to drain (fleet.publish is false)";
		return { ok: false, message };
	}
	const why = await member.drain(isDraining);
	if (why !== undefined) return { ok: false, message: `other hosts could not be told: ${why}` };
	return { ok: true, host, cluster, backends: member.status().offers };
}

/** The backend of a name; none where the text is not one's id. */
function refsOf({ service, id: text }: BackendName): BackendRef[] {
	const id = parseBackendId(text);
	return id === undefined ? [] : [{ service, id }];
}

/** What was shown of a backend, by what was said of it: of most nothing else is said than before. */
const shown = new WeakMap<BackendStatus, BackendView>();

function serviceView({ name, backends }: ServiceStatus): ServiceView {
	return { name, backends: backends.map(backendView) };
}

function backendView(status: BackendStatus): BackendView {
	const before = shown.get(status);
	if (before !== undefined) return before;
	const { sinceMs, ...backend } = status;
	const now = { ...backend, since: toIso(sinceMs) };
	shown.set(status, now);
	return now;
}

/** A time of the pipeline's clock. */
const toIso = (ms: number) => new Date(performance.timeOrigin + ms).toISOString();

function sensorView(state: SensorState): SensorView {
	if (state.state === "up") return state;
	return { state: state.state, since: toIso(state.sinceMs), why: state.why };
}

function proxyView({ status, lastApplied, compared, ...counts }: ProxyReport): ProxyView {
	const { name, type, mode, applied, reloads, failed, fastChanges, failedReloads } = counts;
	return {
		name,
		type,
		mode,
		...stateOf(status),
		applied,
		reloads,
		failed,
		fastChanges,
		failedReloads,
		delays: { listen: counts.listenTimes, close: counts.closeTimes, settle: counts.settleTimes },
		...(lastApplied !== undefined && {
			lastApplied: { at: new Date(lastApplied.atMs).toISOString(), stagesMs: rounded(lastApplied.stagesMs) },
		}),
		...(compared !== undefined && { compared }),
	};
}

/** To tenths of a millisecond. */
const rounded = (stagesMs: Readonly<Record<string, number>>) =>
	Object.fromEntries(Object.entries(stagesMs).map(([stage, ms]) => [stage, Math.round(ms * 10) / 10]));

function stateOf(status: ProxyStatus): Pick<ProxyView, "state" | "why" | "serving" | "steps"> {
	switch (status.state) {
		case "starting":
		case "applied":
			return { state: status.state };
		case "observing":
			return { state: status.state, steps: status.steps };
		case "unreachable":
			return { state: status.state, why: status.why };
		case "failed":
			return { state: status.state, why: status.why, serving: status.serving };
		default:
			return status satisfies never;
	}
}
