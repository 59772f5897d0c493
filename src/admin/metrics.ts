/** The metrics, in Prometheus' text format: made anew from the daemon's status at each scrape, so nothing is counted twice. */

import { Counter, Gauge, Registry } from "prom-client";
import { addFleet } from "./fleet-metrics.js";
import { type DaemonStatus, UNFIT } from "./view.js";

const STATES = ["ready", "closing", "drain", "down", "out"] as const;

/** The text of a scrape; its content type is {@link METRICS_TYPE}. */
export async function metricsText({
	version,
	host,
	listeners,
	startedAt,
	holds,
	services,
	proxies,
	sensor,
	losses,
	fleet,
}: DaemonStatus): Promise<string> {
	const registers = [new Registry()];
	const [registry] = registers;

	const backends = new Gauge({
		name: "solistend_backends",
		help: "Backends of a service in a state",
		labelNames: ["service", "state"] as const,
		registers,
	});
	const unfit = new Gauge({
		name: "solistend_backends_unfit",
		help: "Backends of a service that listen and should get no new work, be they out or not",
		labelNames: ["service", "why"] as const,
		registers,
	});
	for (const { name, backends: all } of services) {
		for (const why of UNFIT) {
			unfit.set({ service: name, why }, all.filter((backend) => backend.unfit === why).length);
		}
		for (const state of STATES) {
			backends.set({ service: name, state }, all.filter((backend) => backend.state === state).length);
		}
	}

	const up = new Gauge({
		name: "solistend_proxy_up",
		help: "1 when the proxy has what it should have, or is only observed",
		labelNames: ["proxy"] as const,
		registers,
	});
	const counter = (name: string, help: string) =>
		new Counter({ name, help, labelNames: ["proxy"] as const, registers });
	const applied = counter("solistend_proxy_applied_total", "Changes that reached the proxy");
	const reloads = new Counter({
		name: "solistend_proxy_reloads_total",
		help: "Reloads of the proxy, by what came of them",
		labelNames: ["proxy", "result"] as const,
		registers,
	});
	const failures = counter("solistend_proxy_failures_total", "Attempts to change the proxy that failed");
	const fast = counter("solistend_proxy_fast_changes_total", "Backends put in or taken out without a reload");
	for (const proxy of proxies) {
		const labels = { proxy: proxy.name };
		up.set(labels, proxy.state === "applied" || proxy.state === "observing" ? 1 : 0);
		applied.inc(labels, proxy.applied);
		reloads.inc({ ...labels, result: "ok" }, proxy.reloads);
		reloads.inc({ ...labels, result: "failed" }, proxy.failedReloads);
		failures.inc(labels, proxy.failed);
		fast.inc(labels, proxy.fastChanges);
	}

	new Gauge({
		name: "solistend_sensor_up",
		help: "1 when the kernel's changes are told as they happen, 0 while backends stay as they are",
		registers,
	}).set(sensor.state === "up" ? 1 : 0);
	new Gauge({ name: "solistend_listeners", help: "Endpoints that listen on the whole host", registers }).set(listeners);
	new Gauge({ name: "solistend_held_backends", help: "Backends with a state by a person's word", registers }).set(
		holds.length,
	);
	const lost = new Counter({
		name: "solistend_losses_total",
		help: "What the sensor lost and repaired by reading the kernel's table",
		labelNames: ["reason"] as const,
		registers,
	});
	for (const [reason, count] of Object.entries(losses)) lost.inc({ reason }, count);

	if (fleet !== undefined) addFleet(fleet, registers);

	const info = { version, node: process.versions.node, host };
	new Gauge({ name: "solistend_build_info", help: "What runs here", labelNames: Object.keys(info), registers }).set(
		info,
		1,
	);
	const { rss } = process.memoryUsage();
	new Gauge({ name: "process_resident_memory_bytes", help: "Memory of the daemon", registers }).set(rss);
	const { user, system } = process.cpuUsage();
	new Counter({ name: "process_cpu_seconds_total", help: "Time on a CPU", registers }).inc((user + system) / 1e6);
	const startedS = Date.parse(startedAt) / 1000;
	new Gauge({ name: "process_start_time_seconds", help: "When it started", registers }).set(startedS);
	return [(await registry?.metrics()) ?? "", ...HISTOGRAMS.map((one) => histogramText(one, proxies))].join("\n");
}

/** How long changes took. */
const HISTOGRAMS = [
	{
		of: "listen",
		name: "solistend_listen_to_applied_seconds",
		help: "From the kernel's event until the proxy had a backend that began to listen",
	},
	{
		of: "close",
		name: "solistend_close_to_applied_seconds",
		help: "From the kernel's event until the proxy no longer had a backend that closed, or was told to stop",
	},
	{
		of: "settle",
		name: "solistend_settle_wait_seconds",
		help: "How long changes waited for others to go with, or for a reload to be allowed",
	},
] as const;

/** Counted elsewhere already, which is not what prom-client's own is made for: it only takes single times. */
function histogramText({ of, name, help }: (typeof HISTOGRAMS)[number], proxies: DaemonStatus["proxies"]): string {
	const lines = proxies.flatMap(({ name: proxy, delays }) => {
		const { bounds, counts, sum } = delays[of];
		// the schema lets no character into a proxy's name that would need escaping
		const label = `proxy="${proxy}"`;
		let total = 0;
		const buckets = counts.map((count, i) => {
			total += count;
			return `${name}_bucket{le="${bounds[i] ?? "+Inf"}",${label}} ${total}`;
		});
		return [...buckets, `${name}_sum{${label}} ${sum}`, `${name}_count{${label}} ${total}`];
	});
	return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...lines, ""].join("\n");
}

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;
