/** The metrics of a fleet; there where the configuration has one. Made anew from what the daemon says of it, as all are. */

import { Counter, Gauge, type Registry } from "prom-client";
import type { FleetView } from "./fleet-view.js";

const STATES = ["live", "draining", "doubtful"] as const;

/** Of a number of times: the median, most of them, and the longest. */
const STATISTICS = { median: 0.5, p99: 0.99, max: 1 } as const;

export function addFleet(fleet: FleetView, registers: Registry[]): void {
	const gauge = (name: string, help: string) => new Gauge({ name: `solistend_fleet_${name}`, help, registers });
	const counter = (name: string, help: string) => new Counter({ name: `solistend_fleet_${name}`, help, registers });
	const { registry, publishing, hosts } = fleet;

	const upHelp = "1 when the registry is reached, 0 while backends of other hosts stay as they are";
	gauge("registry_up", upHelp).set(registry.state === "up" ? 1 : 0);
	if (publishing.state !== "off") {
		const help = "1 when the registry has all that this host offers, 0 while something waits, or all is refused";
		gauge("published", help).set(publishing.state === "current" ? 1 : 0);
	}
	gauge("draining", "1 while other hosts are to send this one no new work").set(fleet.draining ? 1 : 0);
	gauge("offers", "Backends of this host that it offers to others").set(fleet.offers);
	const remote = hosts.reduce((sum, { backends }) => sum + backends, 0);
	gauge("remote_backends", "Backends that other hosts offer").set(remote);
	const byState = new Gauge({
		name: "solistend_fleet_hosts",
		help: "Other hosts in a state",
		labelNames: ["state"] as const,
		registers,
	});
	for (const state of STATES) byState.set({ state }, hosts.filter((host) => host.state === state).length);

	lag("publish", "of this host, until the registry had it", fleet.publishMs, registers);
	const lags = hosts.flatMap(({ lagMs }) => (lagMs === undefined ? [] : [lagMs]));
	lag("apply", "of each other host, until this one had taken it in", lags, registers);

	counter("rejected_values_total", "Values of other hosts that could not be used").inc(fleet.rejected);
	counter("whole_reads_total", "Hosts that were read in full").inc(fleet.wholeReads);
	counter("gaps_total", "Gaps in what was told, each repaired by a read").inc(fleet.gaps);
}

/** A gauge and no summary: what the status has are the last changes, of which no sum ever grows. */
function lag(what: "publish" | "apply", of: string, timesMs: readonly number[], registers: Registry[]): void {
	const times = timesMs.toSorted((a, b) => a - b);
	const seconds = new Gauge({
		name: `solistend_fleet_${what}_lag_seconds`,
		help: `How long the last changes ${of}, took`,
		labelNames: ["stat"] as const,
		registers,
	});
	for (const [stat, share] of Object.entries(STATISTICS)) {
		const ms = times[Math.max(0, Math.ceil(share * times.length) - 1)];
		if (ms !== undefined) seconds.set({ stat }, ms / 1000);
	}
}
