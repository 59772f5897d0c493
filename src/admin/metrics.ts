/** The metrics, in Prometheus' text format: made anew from the daemon's status at each scrape, so nothing is counted twice. */

import { Counter, Gauge, Registry } from "prom-client";
import { addFleet } from "./fleet-metrics.js";
import { type DaemonStatus, UNFIT } from "./view.js";

const STATES = ["ready", "closing", "drain", "down", "out"] as const;

/** The text of a scrape; its content type is {@link METRICS_TYPE}. */
export async function metricsText({
	version,
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
	const reloads = counter("solistend_proxy_reloads_total", "Reloads of the proxy");
	const failures = counter("solistend_proxy_failures_total", "Attempts to change the proxy that failed");
	const fast = counter("solistend_proxy_fast_changes_total", "Backends put in or taken out without a reload");
	for (const proxy of proxies) {
		const labels = { proxy: proxy.name };
		up.set(labels, proxy.state === "applied" || proxy.state === "observing" ? 1 : 0);
		applied.inc(labels, proxy.applied);
		reloads.inc(labels, proxy.reloads);
		failures.inc(labels, proxy.failed);
		fast.inc(labels, proxy.fastChanges);
	}

	new Gauge({
		name: "solistend_sensor_up",
		help: "1 when the kernel's changes are told as they happen, 0 while backends stay as they are",
		registers,
	}).set(sensor.state === "up" ? 1 : 0);
	const lost = new Counter({
		name: "solistend_losses_total",
		help: "What the sensor lost and repaired by reading the kernel's table",
		labelNames: ["reason"] as const,
		registers,
	});
	for (const [reason, count] of Object.entries(losses)) lost.inc({ reason }, count);

	if (fleet !== undefined) addFleet(fleet, registers);

	new Gauge({ name: "solistend_build_info", help: "The version", labelNames: ["version"] as const, registers }).set(
		{ version },
		1,
	);
	return (await registry?.metrics()) ?? "";
}

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;
